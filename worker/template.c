/*
 * template: texts of mails: found, checked, and filled in.
 *
 * A set is complete or the program does not start: every file, built in or
 * overriding, is parsed at load, and all faults are named together. What is left
 * for the moment of sending cannot fail: values are text or not there.
 *
 * HTML bodies are fragments. frame.html surrounds them ({{content}}, {{subject}},
 * {{language}} exist only there); {{>button link}}Label{{/button}} stands for
 * button.html with its {{url}} and {{label}}, so that how a button looks is said
 * once. template_parse.c knows the language of the templates.
 */
#include "template.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "embedded_file.h"
#include "log.h"
#include "memory.h"
#include "template_parse.h"
#include "text.h"

enum { FILE_MAX_BYTES = 256 * 1024 };

struct mail_template {
	char *language;
	char *kind;
	struct template_body subject, text, html;
};

struct template_set {
	struct mail_template *mails;
	int count;
	struct template_body frame;
};

/* While a set is loaded: where files come from, and what is wrong with them. */
struct loading {
	const char *folder;	/* of overrides; NULL: none */
	struct buffer faults;
};

static const struct embedded_file *
embedded_find(const char *path)
{
	for (const struct embedded_file *file = template_files; file->path != NULL; file++)
		if (strcmp(file->path, path) == 0)
			return file;
	return NULL;
}

/* Reads an overriding file. NULL when there is none, or when it is at fault. */
static char *
read_override(struct loading *loading, const char *path)
{
	struct buffer name = BUFFER_INIT, text = { .limit = FILE_MAX_BYTES };
	char chunk[4096], *taken = NULL;
	size_t length;
	FILE *file;

	if (loading->folder == NULL)
		return NULL;
	buffer_printf(&name, "%s/%s", loading->folder, path);
	file = fopen(buffer_text(&name), "re");
	if (file == NULL && errno != ENOENT && errno != ENOTDIR)
		template_fault(&loading->faults, path, strerror(errno));
	buffer_free(&name);
	if (file == NULL)
		return NULL;
	while ((length = fread(chunk, 1, sizeof chunk, file)) > 0)
		buffer_append(&text, chunk, length);
	if (ferror(file))
		template_fault(&loading->faults, path, "could not be read");
	else if (text.overflowed)
		template_fault(&loading->faults, path, "longer than 256 kB");
	else if (strlen(buffer_text(&text)) != text.length || !utf8_is_valid(buffer_text(&text), text.length))
		template_fault(&loading->faults, path, "not UTF-8 text");
	else
		taken = buffer_take(&text);
	fclose(file);
	buffer_free(&text);
	return taken;
}

/* Drops a byte order mark and the CR of CRLF: editors put them there. */
static void
normalize(char *text)
{
	char *to = text;

	for (const char *from = strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text; *from != '\0'; from++)
		if (*from != '\r')
			*to++ = *from;
	*to = '\0';
}

/* The text of a template: the override, or what is built in; the caller frees it. */
static char *
load_text(struct loading *loading, const char *path)
{
	const struct embedded_file *file = embedded_find(path);
	char *text = read_override(loading, path);

	if (text == NULL && file == NULL)
		template_fault(&loading->faults, path, "missing");
	if (text == NULL)
		text = xstrdup(file != NULL ? file->bytes : "");
	normalize(text);
	return text;
}

/* "Subject: …", an empty line, the text. */
static void
load_text_mail(struct loading *loading, const char *path, struct mail_template *mail)
{
	static const char label[] = "Subject: ";
	char *text = load_text(loading, path);
	char *line_end = strchr(text, '\n');

	if (strncmp(text, label, sizeof label - 1) != 0 || line_end == NULL || line_end[1] != '\n') {
		template_fault(&loading->faults, path, "does not begin with \"Subject: …\" and an empty line");
	} else {
		*line_end = '\0';
		template_parse(&mail->subject, path, text + sizeof label - 1, false, &loading->faults);
		template_parse(&mail->text, path, line_end + 2, false, &loading->faults);
	}
	free(text);
}

static void
load_html_mail(struct loading *loading, const char *path, const char *button,
	struct mail_template *mail)
{
	char *text = load_text(loading, path);
	struct buffer expanded = BUFFER_INIT;

	template_expand_buttons(text, button, path, &expanded, &loading->faults);
	template_parse(&mail->html, path, buffer_text(&expanded), false, &loading->faults);
	buffer_free(&expanded);
	free(text);
}

/* "uk/invitation.txt" is a mail; the .html beside it belongs to it. */
static void
load_mail(struct loading *loading, const char *path, const char *button, struct template_set *set)
{
	const char *slash = strchr(path, '/'), *dot = strrchr(path, '.');
	struct mail_template *mail;
	struct buffer html_path = BUFFER_INIT;

	if (slash == NULL || dot == NULL || strcmp(dot, ".txt") != 0)
		return;
	set->mails = xrealloc(set->mails, (size_t)(set->count + 1) * sizeof *set->mails);
	mail = &set->mails[set->count++];
	*mail = (struct mail_template){
		.language = xstrdup(path),
		.kind = xstrdup(slash + 1),
	};
	mail->language[slash - path] = '\0';
	mail->kind[dot - slash - 1] = '\0';
	load_text_mail(loading, path, mail);
	buffer_printf(&html_path, "%s/%s.html", mail->language, mail->kind);
	load_html_mail(loading, buffer_text(&html_path), button, mail);
	buffer_free(&html_path);
}

/* An override that replaces nothing is a misspelt one. Hidden files and editors'
 * copies are let be. `inside` is "" or "uk/". */
static void
find_strangers(struct loading *loading, const char *inside)
{
	struct buffer name = BUFFER_INIT;
	struct dirent *entry;
	DIR *folder;

	buffer_printf(&name, "%s/%s", loading->folder, inside);
	folder = opendir(buffer_text(&name));
	if (folder == NULL)
		template_fault(&loading->faults, buffer_text(&name), strerror(errno));
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		size_t length = strlen(entry->d_name);
		struct stat status;

		if (entry->d_name[0] == '.' || entry->d_name[length - 1] == '~')
			continue;
		buffer_clear(&name);
		buffer_printf(&name, "%s/%s%s", loading->folder, inside, entry->d_name);
		if (inside[0] == '\0' && stat(buffer_text(&name), &status) == 0 && S_ISDIR(status.st_mode)) {
			buffer_clear(&name);
			buffer_printf(&name, "%s/", entry->d_name);
			find_strangers(loading, buffer_text(&name));
			continue;
		}
		buffer_clear(&name);
		buffer_printf(&name, "%s%s", inside, entry->d_name);
		if (embedded_find(buffer_text(&name)) == NULL)
			template_fault(&loading->faults, buffer_text(&name), "is the name of no template");
	}
	if (folder != NULL)
		closedir(folder);
	buffer_free(&name);
}

struct template_set *
template_set_load(const char *override_folder)
{
	struct loading loading = { .folder = override_folder, .faults = BUFFER_INIT };
	struct template_set *set = xcalloc(1, sizeof *set);
	char *button = load_text(&loading, "button.html");
	char *frame = load_text(&loading, "frame.html");

	/* Without these the mails would go out, and say nothing. */
	if (strstr(button, "{{url}}") == NULL || strstr(button, "{{label}}") == NULL)
		template_fault(&loading.faults, "button.html", "does not show {{url}} and {{label}}");
	template_parse(&set->frame, "frame.html", frame, true, &loading.faults);
	if (!template_always_shows(&set->frame, "content"))
		template_fault(&loading.faults, "frame.html", "does not show {{content}} outside of sections");
	for (const struct embedded_file *file = template_files; file->path != NULL; file++)
		load_mail(&loading, file->path, button, set);
	if (override_folder != NULL)
		find_strangers(&loading, "");
	if (loading.faults.length > 0)
		die("could not load mail templates: %s", buffer_text(&loading.faults));
	free(button);
	free(frame);
	buffer_free(&loading.faults);
	return set;
}

void
template_set_free(struct template_set **set)
{
	if (*set == NULL)
		return;
	for (int i = 0; i < (*set)->count; i++) {
		struct mail_template *mail = &(*set)->mails[i];

		free(mail->language);
		free(mail->kind);
		template_body_free(&mail->subject);
		template_body_free(&mail->text);
		template_body_free(&mail->html);
	}
	template_body_free(&(*set)->frame);
	free((*set)->mails);
	free(*set);
	*set = NULL;
}

static const struct mail_template *
find_mail(const struct template_set *set, const char *kind, const char *language)
{
	for (int i = 0; i < set->count; i++)
		if (strcmp(set->mails[i].kind, kind) == 0 && strcmp(set->mails[i].language, language) == 0)
			return &set->mails[i];
	return NULL;
}

bool
template_render(const struct template_set *set, const char *kind, const char *language,
	const struct template_values *values, struct buffer *subject, struct buffer *text,
	struct buffer *html)
{
	const struct mail_template *mail = find_mail(set, kind, language);
	struct template_scope scope = { .values = *values };
	struct buffer content = BUFFER_INIT;

	if (mail == NULL)
		mail = find_mail(set, kind, "en");
	if (mail == NULL) {
		log_error("could not render mail: unknown kind", "kind", kind, NULL);
		return false;
	}
	template_fill(&mail->subject, &scope, TEMPLATE_TEXT, subject);
	template_fill(&mail->text, &scope, TEMPLATE_TEXT, text);
	template_fill(&mail->html, &scope, TEMPLATE_HTML, &content);
	scope.language = mail->language;
	scope.subject = buffer_text(subject);
	scope.content = buffer_text(&content);
	template_fill(&set->frame, &scope, TEMPLATE_HTML, html);
	buffer_free(&content);
	return true;
}
