# Builds the files of a folder into a target as a table of `struct embedded_file` (store/embedded.h).
#
#   embed_folder (TARGET TABLE FOLDER PATTERN)   TABLE is the C name, FOLDER is relative to the top folder
#
# The same file, run as a script (cmake -P), writes the C source.
if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  file(GLOB paths ${FOLDER}/${PATTERN})
  list(SORT paths)
  set(arrays "")
  set(rows "")
  set(number 0)
  foreach(path ${paths})
    get_filename_component(name ${path} NAME)
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(APPEND arrays "static const unsigned char FILE_${number}[] = { ${bytes}0 };\n")
    string(APPEND rows "    { \"${name}\", (const char *)FILE_${number}, sizeof FILE_${number} - 1 },\n")
    math(EXPR number "${number} + 1")
  endforeach()
  file(WRITE ${OUTPUT} "/* Made by engine/store/embed.cmake. */\n#include \"store/embedded.h\"\n\n${arrays}
extern const struct embedded_file ${TABLE}[];
const struct embedded_file ${TABLE}[] = {\n${rows}    { NULL, NULL, 0 },\n};\n")
  return()
endif()

set(EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(embed_folder TARGET TABLE FOLDER PATTERN)
  set(folder ${CMAKE_SOURCE_DIR}/${FOLDER})
  set(output ${CMAKE_BINARY_DIR}/embedded/${TABLE}.c)
  file(GLOB paths CONFIGURE_DEPENDS ${folder}/${PATTERN})
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DPATTERN=${PATTERN} -DTABLE=${TABLE} -DOUTPUT=${output}
            -P ${EMBED_SCRIPT}
    DEPENDS ${paths} ${EMBED_SCRIPT}
    COMMENT "Embedding ${FOLDER}" VERBATIM)
  target_sources(${TARGET} PRIVATE ${output})
endfunction()
