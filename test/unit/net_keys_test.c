/* net_keys_test.c - the list of keys and secret key files: what is read, what is refused and how it is said. */
#include "net/certificate.h"
#include "net/key_list.h"
#include "wire/role.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

/* Two keys of the specification's examples, and a third. */
#define KEY_A "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define KEY_B "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define KEY_C "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

static const char GOOD[] = "# who may come\n"
                           "till-1\n"
                           "    public-key = \"" KEY_A "\"\n"
                           "    roles = \"till\"\n"
                           "    made = \"2026-03-02T10:37:39Z\"\n"
                           "\n"
                           "odoo  # the backend\n"
                           "    public-key = '" KEY_B "'   # quoted otherwise\n"
                           "    old-key = \"" KEY_C "\"\n"
                           "    roles = odoo, monitor\n";

static struct key_list
read_good (const char *text)
{
    struct key_list list;
    struct error err = { 0 };
    cr_assert_eq (key_list_read (&list, str_of (text), &err), 0, "%s", err.message);
    return list;
}

Test (keys, a_list_tells_names_keys_and_roles)
{
    struct key_list list = read_good (GOOD);
    cr_assert_eq (list.count, 2);
    const struct listed_key *till = key_list_find (&list, STR (KEY_A)), *odoo = key_list_find (&list, STR (KEY_B));
    cr_assert_str_eq (till->name, "till-1");
    cr_assert_eq (till->roles, ROLE_TILL);
    cr_assert_str_eq (till->made, "2026-03-02T10:37:39Z");
    cr_assert_eq (odoo->roles, ROLE_ODOO | ROLE_MONITOR);
    cr_assert_eq (key_list_find (&list, STR (KEY_C)), odoo, "the old key is good too");
    cr_assert_null (key_list_find (&list, STR ("")));
    cr_assert_null (key_list_find (&list, (struct str){ KEY_A, 39 }));
    key_list_free (&list);
}

Test (keys, a_list_that_is_written_reads_the_same)
{
    struct key_list list = read_good (GOOD), again;
    struct buf text = { 0 };
    struct error err;
    key_list_write (&list, &text);
    cr_assert_not (text.failed);
    cr_assert_eq (key_list_read (&again, (struct str){ (const char *)text.data, (uint32_t)text.size }, &err), 0);
    cr_assert_eq (again.count, 2);
    for (unsigned i = 0; i < 2; i++)
        cr_assert_arr_eq (&list.keys[i], &again.keys[i], sizeof list.keys[i]);
    buf_free (&text);
    key_list_free (&list);
    key_list_free (&again);
}

Test (keys, nothing_is_a_list_too)
{
    struct key_list list = read_good ("");
    cr_assert_eq (list.count, 0);
    cr_assert_null (key_list_find (&list, STR (KEY_A)));
    key_list_free (&list);
}

Test (keys, a_mistake_is_named_by_its_line)
{
#define ENTRY(name, key) name "\n    public-key = \"" key "\"\n    roles = \"till\"\n"
    static const struct {
        const char *text, *said;
    } CASES[] = {
        { "    roles = till\n", "line 1: a key's name has to come first" },
        { "till-1 = yes\n", "line 1: a key's name, alone" },
        { "till/1\n", "line 1: a key's name, alone" },
        { ".hidden\n", "line 1: a key's name, alone" },
        { "!\n", "line 1: it does not begin with a name" },
        { "till-1\n  roles = till\n", "line 2: indented by 2" },
        { "till-1\n\troles = till\n", "line 2: it does not begin with a name" },
        { "till-1\n    roles = tilly\n", "line 2: there is no role \"tilly\"" },
        { "till-1\n    roles = \"till,\"\n", "line 2: there is no role \"\"" },
        { "till-1\n    roles = \"till\n", "line 2: a quote is not closed" },
        { "till-1\n    roles = \"till\" odoo\n", "line 2: text after the value" },
        { "till-1\n    roles till\n", "line 2: after a name comes =" },
        { "till-1\n    public-key = \"short\"\n", "line 2: not a CURVE key" },
        { "till-1\n    public-key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{h  \"\n", "line 2: not a CURVE key" },
        { "till-1\n    secret-key = \"x\"\n", "line 2: \"secret-key\" is none of" },
        { "till-1\n    roles = till\n", "till-1 has no public-key" },
        { "till-1\n    public-key = \"" KEY_A "\"\n", "till-1 has no roles" },
        { "till-1\n\n" ENTRY ("till-2", KEY_A), "line 3: till-1 has no roles" },
        { ENTRY ("till-1", KEY_A) ENTRY ("till-1", KEY_B), "two keys named till-1" },
        { ENTRY ("till-1", KEY_A) ENTRY ("till-2", KEY_A), "have the same key" },
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct key_list list;
        struct error err = { 0 };
        cr_assert_eq (key_list_read (&list, str_of (CASES[i].text), &err), -1, "%s", CASES[i].text);
        cr_assert_not_null (strstr (err.message, CASES[i].said), "\"%s\" of: %s", err.message, CASES[i].text);
        cr_assert_eq (list.count, 0);
        cr_assert_null (list.keys);
    }
}

Test (keys, lines_and_lists_have_a_bound)
{
    struct key_list list;
    struct error err;
    char line[700];
    memset (line, 'a', sizeof line);
    cr_assert_eq (key_list_read (&list, (struct str){ line, sizeof line }, &err), -1);
    cr_assert_not_null (strstr (err.message, "longer than"), "%s", err.message);
    cr_assert_eq (key_list_read (&list, (struct str){ "a\0b\n", 4 }, &err), -1);
    cr_assert_not_null (strstr (err.message, "a byte of zero"), "%s", err.message);

    list = (struct key_list){ 0 };
    for (unsigned i = 0; i < KEY_LIST_MAX; i++)
        cr_assert_eq (key_list_add (&list, &(struct listed_key){ .roles = ROLE_TILL }, &err), 0);
    cr_assert_eq (key_list_add (&list, &(struct listed_key){ .roles = ROLE_TILL }, &err), -1);
    key_list_free (&list);
}

Test (keys, as_many_keys_as_may_be_are_found)
{
    enum { COUNT = 2000 };
    struct key_list list = { 0 }, read;
    struct buf text = { 0 };
    struct error err = { 0 };
    for (uint32_t i = 0; i < COUNT; i++) {
        struct listed_key key = { .roles = ROLE_TILL };
        uint8_t bytes[32] = { (uint8_t)(i * 37), (uint8_t)(i >> 8), (uint8_t)i };
        snprintf (key.name, sizeof key.name, "till-%u", i);
        zmq_z85_encode (key.public_key, bytes, sizeof bytes);
        cr_assert_eq (key_list_add (&list, &key, &err), 0);
    }
    key_list_write (&list, &text);
    cr_assert_eq (key_list_read (&read, (struct str){ (const char *)text.data, (uint32_t)text.size }, &err), 0, "%s",
                  err.message);
    for (unsigned i = 0; i < COUNT; i++)
        cr_assert_str_eq (key_list_find (&read, str_of (list.keys[i].public_key))->name, list.keys[i].name);
    key_list_remove (&list, &list.keys[7]);
    cr_assert_eq (list.count, COUNT - 1);
    cr_assert_null (key_list_named (&list, "till-7"));
    cr_assert_str_eq (key_list_named (&list, "till-8")->name, "till-8");
    buf_free (&text);
    key_list_free (&list);
    key_list_free (&read);
}

Test (keys, a_list_that_is_not_there_is_named)
{
    struct key_list list;
    struct error err;
    cr_assert_eq (key_list_load (&list, "/nonexistent/keys.conf", &err), -1);
    cr_assert_eq (err.code, ERROR_NOT_FOUND);
    cr_assert_not_null (strstr (err.message, "/nonexistent/keys.conf"));
}

/* --- secret keys --- */

struct scratch {
    char folder[64], file[96];
};

static struct scratch
scratch_new (void)
{
    struct scratch scratch = { .folder = "/tmp/loyalty-keys-XXXXXX" };
    cr_assert_not_null (mkdtemp (scratch.folder));
    snprintf (scratch.file, sizeof scratch.file, "%s/one.key", scratch.folder);
    return scratch;
}

static void
scratch_end (const struct scratch *scratch)
{
    unlink (scratch->file);
    rmdir (scratch->folder);
}

static void
write_file (const char *file, const char *text)
{
    FILE *out = fopen (file, "w");
    cr_assert_not_null (out);
    fputs (text, out);
    fclose (out);
    chmod (file, 0600);
}

Test (keys, a_certificate_comes_back_and_is_its_owners_alone)
{
    struct scratch scratch = scratch_new ();
    struct certificate made, read;
    struct error err = { 0 };
    struct stat status;
    umask (0);
    cr_assert_eq (certificate_make (&made, "till-1", KEY_A, &err), 0);
    cr_assert_eq (certificate_save (&made, scratch.file, &err), 0, "%s", err.message);
    cr_assert_eq (stat (scratch.file, &status), 0);
    cr_assert_eq (status.st_mode & 0777, 0600);
    cr_assert_eq (certificate_load (&read, scratch.file, &err), 0, "%s", err.message);
    cr_assert_arr_eq (&made, &read, sizeof made);

    struct certificate other;
    cr_assert_eq (certificate_make (&other, "till-1", NULL, &err), 0);
    cr_assert_str_neq (other.secret_key, made.secret_key);
    cr_assert_eq (certificate_save (&other, scratch.file, &err), 0, "a file that is there is replaced");
    cr_assert_eq (certificate_load (&read, scratch.file, &err), 0);
    cr_assert_eq (read.server_key[0], '\0');
    scratch_end (&scratch);
}

Test (keys, a_secret_that_others_can_read_is_refused)
{
    static const mode_t MODES[] = { 0604, 0602, 0660, 0610, 0644 };
    struct scratch scratch = scratch_new ();
    struct certificate made, read;
    struct error err;
    certificate_make (&made, "till-1", KEY_A, &err);
    certificate_save (&made, scratch.file, &err);
    for (unsigned i = 0; i < sizeof MODES / sizeof MODES[0]; i++) {
        chmod (scratch.file, MODES[i]);
        cr_assert_eq (certificate_load (&read, scratch.file, &err), -1, "mode %o", MODES[i]);
        cr_assert_eq (err.code, ERROR_FORBIDDEN);
        cr_assert_null (strstr (err.message, made.secret_key));
    }
    scratch_end (&scratch);
}

Test (keys, a_certificate_with_a_mistake_is_told_without_its_secret)
{
#define SECRET "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
    static const struct {
        const char *text, *said;
    } CASES[] = {
        { "", "it has no name" },
        { "name = \"a\"\n", "it has no secret-key" },
        { "name = \"a\"\nsecret-key = \"" SECRET "\"\npublic-key = \"" KEY_A "\"\n", "do not belong together" },
        { "name = \"a\"\nsecret-key = \"" SECRET "x\"\n", "line 2: not a CURVE key" },
        { "name = \"a b\"\n", "line 1: not the name of a key" },
        { SECRET "\n", "line 1" },
        { "name = \"a\"\n" SECRET " = 7\n", "line 2" },
    };
    struct scratch scratch = scratch_new ();
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct certificate read;
        struct error err = { 0 };
        write_file (scratch.file, CASES[i].text);
        cr_assert_eq (certificate_load (&read, scratch.file, &err), -1, "%s", CASES[i].text);
        cr_assert_not_null (strstr (err.message, CASES[i].said), "\"%s\" of: %s", err.message, CASES[i].text);
        cr_assert_null (strstr (err.message, "JTKVSB"), "%s", err.message);
        cr_assert_eq (read.secret_key[0], '\0');
    }
    scratch_end (&scratch);
}

Test (keys, a_certificate_has_to_be_a_file)
{
    struct certificate read;
    struct error err;
    cr_assert_eq (certificate_load (&read, "/nonexistent", &err), -1);
    cr_assert_eq (err.code, ERROR_NOT_FOUND);
    cr_assert_eq (certificate_load (&read, "/tmp", &err), -1);
    cr_assert_eq (certificate_save (&read, "/nonexistent/a.key", &err), -1);
}

Test (keys, roles_are_told_and_read_alike)
{
    char text[ROLES_TEXT_MAX];
    for (unsigned roles = 1; roles < 32; roles++) {
        unsigned read = 0;
        struct error err = { 0 };
        cr_assert_eq (roles_read (str_of (roles_text (roles, text)), &read, &err), 0, "%s", err.message);
        cr_assert_eq (read, roles);
    }
}
