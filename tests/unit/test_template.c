/* template: the language of mail texts, the texts that are built in, and overrides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lifecycle.h"
#include "template.h"
#include "template_parse.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINK "https://rollcall.test.example/accept#AQEA-_x"

static const char *const languages[] = { "en", "uk", "ru" };

static struct template_values
sample(void)
{
	return (struct template_values){
		.organization = "Hesh & Co", .first_name = "Olena", .full_name = "Olena <b>",
		.login = "olena", .recipient_name = "Admin", .link = LINK, .expires_at = "3 May 14:00",
		.sign_in_url = "https://rollcall.test.example/sign-in",
		.forgot_password_url = "https://rollcall.test.example/forgot-password",
		.days = "3", .idle_on = "9 May", .list = "One\nTwo", .count = "2",
		.contact_email = "help@test.example", .file_name = "people.csv",
		.rows = "9", .created = "5", .updated = "3", .errors = "1", .applied = "true",
	};
}

static char *
fill(const char *text, enum template_target target)
{
	struct template_scope scope = {
		.values = { .organization = "A&<B>\"'", .list = "x\ny", .days = "3", .count = "" },
	};
	struct template_body body;
	struct buffer out = BUFFER_INIT, faults = BUFFER_INIT;

	template_parse(&body, "test", text, false, &faults);
	assert_string_equal(buffer_text(&faults), "");
	template_fill(&body, &scope, target, &out);
	template_body_free(&body);
	buffer_free(&faults);
	return buffer_take(&out);
}

static void
templates_are_filled(void **state)
{
	static const struct {
		const char *text;
		enum template_target target;
		const char *filled;
	} cases[] = {
		{ "", TEMPLATE_TEXT, "" },
		{ "no tags } { }}", TEMPLATE_TEXT, "no tags } { }}" },
		{ "{{days}}", TEMPLATE_TEXT, "3" },
		{ "[{{ days }}]", TEMPLATE_TEXT, "[3]" },
		{ "[{{link}}]", TEMPLATE_TEXT, "[]" },
		{ "{{organization}}", TEMPLATE_TEXT, "A&<B>\"'" },
		{ "{{organization}}", TEMPLATE_HTML, "A&amp;&lt;B&gt;&quot;&#39;" },
		{ "{{list}}", TEMPLATE_TEXT, "x\ny" },
		{ "{{list}}", TEMPLATE_HTML, "x<br>\ny" },
		{ "a{{#days}} b{{/days}}", TEMPLATE_TEXT, "a b" },
		{ "a{{#link}} b{{/link}}c", TEMPLATE_TEXT, "ac" },
		{ "a{{^link}} b{{/link}}", TEMPLATE_TEXT, "a b" },
		{ "a{{^days}} b{{/days}}c", TEMPLATE_TEXT, "ac" },
		/* empty is not there */
		{ "{{#count}}a{{/count}}{{^count}}b{{/count}}", TEMPLATE_TEXT, "b" },
		{ "{{#days}}{{#link}}a{{/link}}{{^link}}b{{days}}{{/link}}{{/days}}", TEMPLATE_TEXT, "b3" },
		/* tags of sections alone on their lines take the lines with them */
		{ "a\n{{#days}}\nb\n{{/days}}\nc\n", TEMPLATE_TEXT, "a\nb\nc\n" },
		{ "a\n  {{#link}} \nb\n{{/link}}\nc\n", TEMPLATE_TEXT, "a\nc\n" },
		{ "{{#days}}\na\n{{/days}}", TEMPLATE_TEXT, "a\n" },
		{ "{{days}}\na", TEMPLATE_TEXT, "3\na" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char *filled = fill(cases[i].text, cases[i].target);

		assert_string_equal(filled, cases[i].filled);
		free(filled);
	}
}

static void
faults_are_named(void **state)
{
	static const struct {
		const char *text, *fault;
	} cases[] = {
		{ "{{dais}}", "test: unknown name {{dais}}" },
		{ "{{}}", "test: unknown name {{}}" },
		{ "{{content}}", "test: unknown name {{content}}" },
		{ "{{> days}}", "test: unknown name {{> days}}" },
		{ "{{days", "test: a {{ without its }}" },
		{ "{{#days}}", "test: a section without its end" },
		{ "{{/days}}", "test: closes nothing: {{days}}" },
		{ "{{#days}}{{/link}}", "test: closes another section: {{link}}" },
		{ "{{#dais}}{{/dais}}", "test: unknown name {{dais}}; test: unknown name {{dais}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct template_body body;
		struct template_scope scope = { .values = sample() };
		struct buffer faults = BUFFER_INIT, out = BUFFER_INIT;

		template_parse(&body, "test", cases[i].text, false, &faults);
		assert_string_equal(buffer_text(&faults), cases[i].fault);
		template_fill(&body, &scope, TEMPLATE_HTML, &out);
		template_body_free(&body);
		buffer_free(&faults);
		buffer_free(&out);
	}
}

static void
sections_nest_eight_deep(void **state)
{
	struct buffer text = BUFFER_INIT, faults = BUFFER_INIT;
	struct template_body body;

	(void)state;
	for (int i = 0; i < 9; i++)
		buffer_puts(&text, "{{#days}}");
	template_parse(&body, "test", buffer_text(&text), false, &faults);
	assert_non_null(strstr(buffer_text(&faults), "too deep: {{days}}"));
	template_body_free(&body);
	buffer_free(&text);
	buffer_free(&faults);
}

static void
buttons_are_expanded(void **state)
{
	static const char button[] = "<a href=\"{{url}}\">{{label}}</a>{{days}}";
	static const struct {
		const char *text, *expanded, *fault;
	} cases[] = {
		{ "x", "x", "" },
		{ "a{{>button link}}Go on{{/button}}b", "a<a href=\"{{link}}\">Go on</a>{{days}}b", "" },
		{ "{{>button link}}", "", "test: a {{>button …}} without its {{/button}}" },
		{ "{{>button link", "", "test: a {{>button …}} without its {{/button}}" },
		{ "{{>button ", "", "test: a {{>button …}} without its {{/button}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct buffer out = BUFFER_INIT, faults = BUFFER_INIT;

		template_expand_buttons(cases[i].text, button, "test", &out, &faults);
		assert_string_equal(buffer_text(&out), cases[i].expanded);
		assert_string_equal(buffer_text(&faults), cases[i].fault);
		buffer_free(&out);
		buffer_free(&faults);
	}
}

static struct rendered {
	struct buffer subject, text, html;
} rendered;

static void
render(const struct template_set *set, const char *kind, const char *language,
	const struct template_values *values)
{
	buffer_clear(&rendered.subject);
	buffer_clear(&rendered.text);
	buffer_clear(&rendered.html);
	assert_true(template_render(set, kind, language, values, &rendered.subject, &rendered.text, &rendered.html));
}

static int
forget_rendered(void **state)
{
	(void)state;
	buffer_free(&rendered.subject);
	buffer_free(&rendered.text);
	buffer_free(&rendered.html);
	return 0;
}

static void
assert_is_finished(const struct buffer *text)
{
	assert_true(text->length > 0);
	assert_null(strstr(text->data, "{{"));
	assert_null(strstr(text->data, "}}"));
}

static void
every_kind_is_there_in_every_language(void **state)
{
	struct template_set *set = template_set_load(NULL);
	struct template_values full = sample(), none = { .organization = NULL };

	(void)state;
	for (int kind = 0; kind < MAIL_KIND_COUNT; kind++) {
		for (size_t i = 0; i < ARRAY_COUNT(languages); i++) {
			char tag[32];

			snprintf(tag, sizeof tag, "<html lang=\"%s\">", languages[i]);
			render(set, mail_kind_word((enum mail_kind)kind), languages[i], &full);
			assert_is_finished(&rendered.subject);
			assert_is_finished(&rendered.text);
			assert_is_finished(&rendered.html);
			assert_null(strchr(rendered.subject.data, '\n'));
			assert_non_null(strstr(rendered.html.data, tag));
			assert_non_null(strstr(rendered.html.data, "Hesh &amp; Co"));
			assert_null(strstr(rendered.html.data, "<b>"));
			render(set, mail_kind_word((enum mail_kind)kind), languages[i], &none);
		}
	}
	template_set_free(&set);
}

static void
links_stand_in_text_and_html(void **state)
{
	static const enum mail_kind with_link[] = {
		MAIL_INVITATION, MAIL_INVITATION_EXPIRED, MAIL_PASSWORD_RESET, MAIL_ACCOUNT_LOCKED, MAIL_EMAIL_CHANGE_CONFIRM,
	};
	struct template_set *set = template_set_load(NULL);
	struct template_values values = sample();

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(with_link); i++) {
		for (size_t k = 0; k < ARRAY_COUNT(languages); k++) {
			render(set, mail_kind_word(with_link[i]), languages[k], &values);
			assert_non_null(strstr(rendered.text.data, "\n" LINK "\n"));
			assert_non_null(strstr(rendered.text.data, "3 May 14:00"));
			assert_non_null(strstr(rendered.html.data, "href=\"" LINK "\""));
			assert_non_null(strstr(rendered.html.data, ">" LINK "</a>"));
			assert_non_null(strstr(rendered.html.data, "3 May 14:00"));
		}
	}
	template_set_free(&set);
}

static void
a_letter_without_a_link_says_where_to_go_instead(void **state)
{
	struct template_set *set = template_set_load(NULL);
	struct template_values values = sample();

	(void)state;
	values.link = NULL;
	for (size_t k = 0; k < ARRAY_COUNT(languages); k++) {
		render(set, "login_info", languages[k], &values);
		assert_non_null(strstr(rendered.text.data, "\nhttps://rollcall.test.example/sign-in\n"));
		assert_non_null(strstr(rendered.text.data, values.login));
		assert_non_null(strstr(rendered.text.data, values.organization));
	}
	render(set, "invitation", "en", &values);
	assert_non_null(strstr(rendered.text.data, "\nhttps://rollcall.test.example/sign-in\n"));
	render(set, "account_locked", "en", &values);
	assert_non_null(strstr(rendered.text.data, "An administrator can unlock it for you: write to help@test.example."));
	template_set_free(&set);
}

static void
unknown_languages_are_english_and_unknown_kinds_nothing(void **state)
{
	struct template_set *set = template_set_load(NULL);
	struct template_values values = sample();

	(void)state;
	render(set, "password_reset", "pl", &values);
	assert_non_null(strstr(rendered.html.data, "<html lang=\"en\">"));
	assert_false(template_render(set, "chain_letter", "en", &values, &rendered.subject, &rendered.text, &rendered.html));
	template_set_free(&set);
	assert_null(set);
	template_set_free(&set);
}

/* A folder of overrides with one file in it. */
static char *
make_folder(const char *path, const char *text)
{
	static char folder[64];
	char name[256];
	FILE *file;

	strcpy(folder, "/tmp/rollcall-templates-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(name, sizeof name, "%s/en", folder);
	assert_int_equal(mkdir(name, 0700), 0);
	snprintf(name, sizeof name, "%s/%s", folder, path);
	file = fopen(name, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return folder;
}

static void
remove_folder(const char *folder, const char *path)
{
	char name[256];

	snprintf(name, sizeof name, "%s/%s", folder, path);
	unlink(name);
	snprintf(name, sizeof name, "%s/en", folder);
	rmdir(name);
	assert_int_equal(rmdir(folder), 0);
}

static void
one_file_of_a_folder_replaces_one_template(void **state)
{
	static const char path[] = "en/password_reset.txt";
	const char *folder = make_folder(path, "\xef\xbb\xbfSubject: New {{count}}\r\n\r\nMine: {{link}}\r\n");
	struct template_set *set = template_set_load(folder);
	struct template_values values = sample();

	(void)state;
	render(set, "password_reset", "en", &values);
	assert_string_equal(rendered.subject.data, "New 2");
	assert_string_equal(rendered.text.data, "Mine: " LINK "\n");
	assert_non_null(strstr(rendered.html.data, "Choose a new password"));
	template_set_free(&set);
	remove_folder(folder, path);
}

/* What a process says that does not come up with such an override. */
static void
assert_does_not_start(const char *folder, const char *expected)
{
	char said[4096] = "";
	int pipe_ends[2], status;
	size_t length = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(pipe_ends), 0);
	child = fork();
	if (child == 0) {
		dup2(pipe_ends[1], STDERR_FILENO);
		template_set_load(folder);
		_exit(0);
	}
	close(pipe_ends[1]);
	while ((got = read(pipe_ends[0], said + length, sizeof said - 1 - length)) > 0)
		length += (size_t)got;
	close(pipe_ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	if (strstr(said, expected) == NULL)
		fail_msg("\"%s\" is not in: %s", expected, said);
}

static void
a_faulty_override_stops_the_start_and_is_named(void **state)
{
	static const struct {
		const char *path, *text, *expected;
	} cases[] = {
		{ "en/password_reset.txt", "Hello", "en/password_reset.txt: does not begin with" },
		{ "en/password_reset.txt", "Subject: a\nb", "en/password_reset.txt: does not begin with" },
		{ "en/password_reset.txt", "Subject: {{x}}\n\n{{#y}}", "unknown name {{x}}; en/password_reset.txt: unknown name {{y}}" },
		{ "en/password_reset.txt", "Subject: \xff\n\nx", "en/password_reset.txt: not UTF-8 text" },
		{ "en/invitaton.txt", "Subject: a\n\nb\n", "en/invitaton.txt: is the name of no template" },
		{ "en/idle_brake.html", "{{>button link}}", "en/idle_brake.html: a {{>button" },
		{ "frame.html", "{{body}}", "frame.html: unknown name {{body}}" },
		{ "frame.html", "", "frame.html: does not show {{content}}" },
		{ "frame.html", "<b>{{subject}}</b>", "frame.html: does not show {{content}}" },
		{ "frame.html", "{{#days}}{{content}}{{/days}}", "frame.html: does not show {{content}}" },
		{ "button.html", "{{label}}", "button.html: does not show {{url}} and {{label}}" },
		{ "button.html", "<a href=\"{{url}}\">", "button.html: does not show {{url}} and {{label}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *folder = make_folder(cases[i].path, cases[i].text);

		assert_does_not_start(folder, cases[i].expected);
		remove_folder(folder, cases[i].path);
	}
	assert_does_not_start("/nonexistent", "/nonexistent/: No such file or directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_are_filled),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(sections_nest_eight_deep),
		cmocka_unit_test(buttons_are_expanded),
		cmocka_unit_test(every_kind_is_there_in_every_language),
		cmocka_unit_test(links_stand_in_text_and_html),
		cmocka_unit_test(a_letter_without_a_link_says_where_to_go_instead),
		cmocka_unit_test(unknown_languages_are_english_and_unknown_kinds_nothing),
		cmocka_unit_test(one_file_of_a_folder_replaces_one_template),
		cmocka_unit_test(a_faulty_override_stops_the_start_and_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, forget_rendered);
}
