/*
 * user_columns: the columns of files about people: what an import reads, an export and a
 * template write.
 *
 * One table, so that what was exported can be imported again. A header is recognised by the
 * column's key, by its labels, and by what people write above such a column in the three
 * languages. Custom fields (attributes.KEY) are the organization's and not in it; whoever
 * compares their labels folds them as headers are folded here.
 */
#ifndef ROLLCALL_USER_COLUMNS_H
#define ROLLCALL_USER_COLUMNS_H

#include <stdbool.h>

struct buffer;

enum user_column_id {
	COLUMN_EMAIL, COLUMN_USERNAME, COLUMN_FIRST_NAME, COLUMN_LAST_NAME, COLUMN_PHONE, COLUMN_EXTERNAL_ID, COLUMN_KIND,
	COLUMN_ROLE,		/* by name */
	COLUMN_DEPARTMENT,	/* its path of names, USER_COLUMN_PATH_SEPARATOR between: names may repeat in the tree */
	COLUMN_POSITION, COLUMN_GROUPS,	/* names, "; " between */
	COLUMN_LOCALE, COLUMN_STATUS, COLUMN_PASSWORD_HASH, COLUMN_ID, COLUMN_VERSION,
	USER_COLUMN_COUNT
};

#define USER_COLUMN_PATH_SEPARATOR " / "
/* Of the person in a template, whom nobody wants: no mail ever arrives there (RFC 2606). */
#define USER_COLUMN_EXAMPLE_EMAIL "olena.shevchenko@example.com"
#define USER_COLUMN_ATTRIBUTE "attributes."	/* what the key of a custom field's column begins with */

struct user_column {
	enum user_column_id id;
	const char *key;
	const char *label_en, *label_uk, *label_ru;
	const char *const *headers;	/* others that mean it, NULL-ended */
	bool is_exported;		/* what is not is read alone */
};

extern const struct user_column user_columns[USER_COLUMN_COUNT];	/* in the order of an export */

/* NULL: there is no such column. */
const struct user_column *user_column_find(const char *key);
/* "en", "uk", "ru"; whatever else is English. */
const char *user_column_label(const struct user_column *column, const char *language);
/* The column that a header of a file names; NULL when none is known by it. The header is valid UTF-8. */
const struct user_column *user_column_of_header(const char *header);
/* Appends the header as it is compared: lower case; apostrophes of all kinds alike; blanks,
 * hyphens, underscores and points alike, single and none at the ends; without a * or : at its
 * end; ё as е, and letters in one piece that some systems write in two. */
void user_column_fold(const char *header, struct buffer *out);

#endif
