/* top_view.h - the figures of an engine on a terminal, 80 columns wide, or as a line in a pipe. */
#ifndef LOYALTY_TOP_VIEW_H
#define LOYALTY_TOP_VIEW_H

#include <jansson.h>
#include <stdbool.h>

/* Draws a summary (top_summary.h). `is_live`: over what stood on the screen; else plainly, below. */
void top_view_draw (const json_t *summary, bool is_live);

/* Prints a summary as one line; before the first one, and every so often, a line that names its columns. */
void top_view_line (const json_t *summary, unsigned long lines_before);

#endif
