#include "base/template.h"
#include "test.h"

static const char document[] =
    "{\"Name\":\"web\",\"ID\":\"0123456789abcdef\",\"N\":42,\"Neg\":-7,\"F\":1.5,\"Big\":1e21,"
    "\"U\":18446744073709551615,\"Yes\":true,\"No\":false,\"Nil\":null,\"Empty\":\"\",\"Zero\":0,"
    "\"List\":[\"a\",\"b\",\"c\"],\"Nums\":[3,1,2],\"None\":[],"
    "\"Map\":{\"z\":\"last\",\"a\":\"first\"},\"State\":{\"Running\":true,\"Code\":3,"
    "\"Health\":{\"Status\":\"healthy\"}},\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}],"
    "\"90/tcp\":null},\"Objs\":[{\"k\":\"x\",\"v\":1},{\"k\":\"y\",\"v\":2}],"
    "\"Html\":\"<a href='x'>&\\\"\"}";

static struct err run(const char *text, struct buf *out) {
    CLEAN_TEMPLATE struct template *t = NULL;
    CLEAN_JSON struct json *root = NULL;
    TRY(template_parse("", str_of(text), NULL, 0, &t));
    TRY(json_parse(str_of(document), &root));
    struct template_value v = template_json(root);
    return template_run(t, &v, out);
}

struct row {
    const char *text, *wanted; /* an error when it begins with '!' */
};

static void check(const struct row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        CLEAN_BUF struct buf out = {0};
        CLEAN_ERR struct err e = run(rows[i].text, &out);
        const char *got = err_failed(e) ? err_msg(e) : buf_cstr(&out);
        bool wants_error = rows[i].wanted[0] == '!';
        if (err_failed(e) != wants_error ||
            (wants_error ? !strstr(got, rows[i].wanted + 1) : strcmp(got, rows[i].wanted) != 0))
            fail_msg("%s: want '%s', got '%s'", rows[i].text, rows[i].wanted, got);
    }
}
#define CHECK(...)                                      \
    do {                                                \
        static const struct row rows[] = {__VA_ARGS__}; \
        check(rows, ARRAY_LEN(rows));                   \
    } while (0)

TEST(text_and_actions) {
    CHECK({"", ""}, {"plain", "plain"}, {"a{{.Name}}b", "awebb"}, {"{{ .Name }}", "web"},
          {"{{.State.Health.Status}}", "healthy"}, {"{{\"x\"}}{{`r\\n`}}", "xr\\n"},
          {"{{1}} {{-1}} {{0x1F}} {{0b11}} {{0o17}} {{017}} {{1_000}} {{1.5}} {{1e3}} {{.5}}",
           "1 -1 31 3 15 15 1000 1.5 1000 0.5"},
          {"{{'a'}} {{'\\n'}} {{'\xc3\xa9'}}", "97 10 233"}, {"{{true}} {{false}}", "true false"},
          {"{{\"\\t\\x41\\u00e9\\U0001F600\\101\\\\\\\"\"}}", "\tA\xc3\xa9\xf0\x9f\x98\x80"
                                                              "A\\\""},
          {"{{.N}} {{.Neg}} {{.F}} {{.Big}} {{.U}}", "42 -7 1.5 1e+21 18446744073709551615"},
          {"{{.Yes}} {{.No}} {{.Nil}}|{{.Empty}}|", "true false <no value>||"},
          {"{{.List}} {{.None}} {{.Map}}", "[a b c] [] map[a:first z:last]"},
          {"{{.Ports}}", "map[80/tcp:[map[HostPort:8080]] 90/tcp:<nil>]"}, {"{{.N\n}}", "42"},
          {"{{printf \"%s\"\n.Name}}", "web"}, {"}} {", "}} {"});
}

TEST(white_space_control) {
    CHECK({"a {{- .N}} b", "a42 b"}, {"a {{.N -}} b", "a 42b"}, {"a \n\t{{- .N -}}\n b", "a42b"},
          {"a{{- /* c */ -}} b", "ab"}, {"a{{/* {{x}} */}}b", "ab"}, {"{{- -3}}", "-3"},
          {"{{-3}}", "-3"}, {" {{- \"x\" -}} ", "x"}, {"{{- `}}` -}}", "}}"},
          {"{{range .Nums -}} {{.}}, {{end -}} !", "3, 1, 2, !"});
}

TEST(conditions) {
    CHECK({"{{if .Yes}}T{{else}}F{{end}}", "T"}, {"{{if .No}}T{{else}}F{{end}}", "F"},
          {"{{if .Zero}}T{{else if .N}}N{{else}}F{{end}}", "N"},
          {"{{if .Zero}}T{{else if .Empty}}N{{else}}F{{end}}", "F"}, {"{{if .None}}T{{end}}", ""},
          {"{{if .Map}}T{{end}}", "T"}, {"{{if .Nil}}T{{else}}F{{end}}", "F"},
          {"{{with .Name}}{{.}}{{end}}", "web"},
          {"{{with .Empty}}{{.}}{{else}}{{.N}}{{end}}", "42"},
          {"{{with .Empty}}{{.}}{{else with .N}}<{{.}}>{{end}}", "<42>"},
          {"{{with $x := .State}}{{$x.Code}}{{.Running}}{{$.Name}}{{end}}", "3trueweb"},
          {"{{if and .Yes .N}}T{{end}}{{if or .No .Zero}}T{{end}}", "T"},
          {"{{if not .No}}T{{end}}", "T"}, {"{{if (eq .N 42)}}T{{end}}", "T"});
}

TEST(ranges) {
    CHECK(
        {"{{range .List}}<{{.}}>{{end}}", "<a><b><c>"},
        {"{{range $e := .List}}{{$e}}{{$.N}}{{end}}", "a42b42c42"},
        {"{{range $i, $e := .List}}{{$i}}{{$e}}{{end}}", "0a1b2c"},
        {"{{range .None}}x{{else}}none{{end}}", "none"},
        {"{{range .Nil}}x{{else}}nil{{end}}", "nil"},
        {"{{range $k, $v := .Map}}{{$k}}={{$v}};{{end}}", "a=first;z=last;"},
        {"{{range 3}}{{.}}{{end}}{{range $i := 2}}{{$i}}{{end}}{{range 0}}x{{else}}y{{end}}",
         "01201y"},
        {"{{range .List}}{{if eq . \"b\"}}{{break}}{{end}}{{.}}{{end}}", "a"},
        {"{{range .List}}{{if eq . \"b\"}}{{continue}}{{end}}{{.}}{{end}}", "ac"},
        {"{{range $o := .Objs}}{{range $.Nums}}{{$o.v}}{{.}} {{end}}{{end}}", "13 11 12 23 21 22 "},
        {"{{range $p, $c := .Ports}}{{$p}}->{{if $c}}{{(index $c 0).HostPort}}{{end}} {{end}}",
         "80/tcp->8080 90/tcp-> "},
        {"{{range .Name}}{{end}}", "!range can't iterate over web"});
}

TEST(variables) {
    CHECK({"{{$x := 1}}{{$x}}", "1"}, {"{{$x := 1}}{{$x = 2}}{{$x}}", "2"},
          {"{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"},
          {"{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"},
          {"{{$n := 0}}{{range $i, $e := .Nums}}{{$n = $i}}{{end}}{{$n}}", "2"},
          {"{{$}}{{$x}}", "!undefined variable \"$x\""}, {"{{$x = 1}}", "!undefined variable"},
          {"{{$s := .State}}{{$s.Health.Status}}", "healthy"},
          {"{{if $x := .Name}}{{$x}}{{end}}{{$x}}", "!undefined variable"});
}

TEST(pipelines) {
    CHECK({"{{.Name | upper}}", "WEB"},
          {"{{.Name | printf \"%s-%d\" \"x\" 3}}", "x-3%!(EXTRA string=web)"},
          {"{{.Name | printf \"%s-%s\" \"x\"}}", "x-web"},
          {"{{\"a\" | print \"b\" | upper}}", "BA"}, {"{{(.Name | upper) | lower}}", "web"},
          {"{{len (slice .List 1)}}", "2"},
          {"{{.State.Health | json}}", "{\"Status\":\"healthy\"}"}, {"{{(index .Objs 1).k}}", "y"},
          {"{{.Name | 3}}", "!non executable command in pipeline"},
          {"{{nil}}", "!nil is not a command"},
          {"{{.Name 3}}", "!Name is not a method but has arguments"},
          {"{{3 4}}", "!can't give argument to non-function 3"});
}

TEST(nested_templates) {
    CHECK(
        {"{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .Name}}", "<web>"},
        {"{{template \"t\"}}{{define \"t\"}}[{{.}}]{{end}}", "[<no value>]"},
        {"{{block \"b\" .N}}{{.}}!{{end}}{{template \"b\" 7}}", "42!7!"},
        {"{{define \"t\"}}{{$.k}}{{end}}{{range .Objs}}{{template \"t\" .}}{{end}}", "xy"},
        {"{{template \"no\"}}", "!template \"no\" not defined"},
        {"{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}", "!maximum template depth"},
        {"{{if 1}}{{define \"x\"}}{{end}}{{end}}", "!unexpected {{define}}"},
        {"{{define \"t\"}}{{$x}}{{end}}", "!undefined variable"});
}

TEST(comparisons) {
    CHECK({"{{eq 1 1}} {{eq 1 2 1}} {{eq \"a\" \"b\"}} {{eq 1.5 .F}} {{eq true .Yes}}",
           "true true false true true"},
          {"{{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 2}}", "true true true false true"},
          {"{{lt \"a\" \"b\"}} {{lt 1.0 1.5}} {{lt -1 .U}} {{gt .U 5}}", "true true true true"},
          {"{{eq 1 \"a\"}}", "!incompatible types for comparison"},
          {"{{lt true false}}", "!invalid type for comparison"},
          {"{{eq .List 1}}", "!non-comparable type"}, {"{{eq .Nil nil}}", "true"},
          {"{{eq 1}}", "!wrong number of args for eq: want at least 2 got 1"},
          {"{{and 1 0 3}} {{or 0 \"\" \"x\"}} {{and 1}} {{not 0}}", "0 x 1 true"},
          {"{{or 1 (index .List 99)}}", "1"}, {"{{and 0 (index .List 99)}}", "0"});
}

TEST(index_slice_len) {
    CHECK({"{{index .List 1}} {{index .Map \"a\"}} {{index .Objs 0 \"k\"}}", "b first x"},
          {"{{index .Map \"none\"}}", "<no value>"},
          {"{{index .List 3}}", "!index out of range: 3"},
          {"{{index .List \"x\"}}", "!cannot index slice/array with type string"},
          {"{{index .N 1}}", "!can't index item of type int"},
          {"{{index .Nil 1}}", "!index of untyped nil"}, {"{{index \"abc\" 1}}", "98"},
          {"{{slice .Name 1}} {{slice .Name 0 1}} {{slice .List 1 2}}", "eb w [b]"},
          {"{{slice .Name 4}}", "!index out of range: 4"},
          {"{{slice .Name 2 1}}", "!invalid slice index"},
          {"{{len .Name}} {{len .List}} {{len .Map}}", "3 3 2"}, {"{{len 3}}", "!len of type int"});
}

TEST(printing) {
    CHECK({"{{print 1 2 \"a\" \"b\" 3 4}}", "1 2a"
                                            "b3 4"},
          {"{{println 1 \"a\"}}", "1 a\n"}, {"{{print .Nil}}", "<nil>"},
          {"{{printf \"%d|%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c|%U|%#x\" 42 42 42 42 42 42 42 42 5 65 "
           "65 42}}",
           "42|   42|42   |00042|+42|2a|2A|52|101|A|U+0041|0x2a"},
          {"{{printf \"%s|%5s|%-5s|%.2s|%q|%x|%v\" \"abc\" \"abc\" \"abc\" \"abc\" \"a\\\"\\n\" "
           "\"abc\" \"abc\"}}",
           "abc|  abc|abc  |ab|\"a\\\"\\n\"|616263|abc"},
          {"{{printf \"%f|%.2f|%8.3f|%e|%g|%v\" 1.5 1.005 3.14159 1500.0 0.1 1e100}}",
           "1.500000|1.00|   3.142|1.500000e+03|0.1|1e+100"},
          {"{{printf \"%t|%v|%v|%v\" true .List .Map nil}}",
           "true|[a b c]|map[a:first z:last]|<nil>"},
          {"{{printf \"%q\" .List}}", "[\"a\" \"b\" \"c\"]"}, {"{{printf \"%*d\" 5 42}}", "   42"},
          {"{{printf \"%d\" \"x\"}}", "%!d(string=x)"}, {"{{printf \"%d\"}}", "%!d(MISSING)"},
          {"{{printf \"%\"}}", "%!(NOVERB)"}, {"{{printf \"100%%\"}}", "100%"},
          {"{{printf \"%T %T\" 1 \"a\"}}", "int string"}, {"{{printf \"%z\" 1}}", "%!z(int=1)"},
          {"{{html .Html}}", "&lt;a href=&#39;x&#39;&gt;&amp;&#34;"},
          {"{{js .Html}}", "\\u003Ca href\\u003D\\'x\\'\\u003E\\u0026\\\""},
          {"{{urlquery \"a b&c/d\"}}", "a+b%26c%2Fd"});
}

TEST(functions_of_docker) {
    CHECK({"{{json .List}} {{json .Name}} {{json .Nil}} {{json .F}}",
           "[\"a\",\"b\",\"c\"] \"web\" null 1.5"},
          {"{{json \"<&>\"}}", "\"<&>\""}, {"{{join .List \",\"}}", "a,b,c"},
          {"{{join .Nums \"-\"}}", "3-1-2"},
          {"{{split \"a,b,\" \",\"}} {{len (split \"\" \",\")}} {{split \"ab\" \"\"}}",
           "[a b ] 1 [a b]"},
          {"{{upper \"aB\"}} {{lower \"aB\"}} {{title \"the end\"}}", "AB ab The End"},
          {"{{truncate .ID 12}} {{truncate .Name 12}}", "0123456789ab web"},
          {"<{{pad .Name 1 2}}><{{pad \"\" 1 2}}>", "< web  ><>"},
          {"{{upper 3}}", "!wrong type for value; expected string; got int"},
          {"{{range split .Name \"e\"}}{{.}}.{{end}}", "w.b."});
}

TEST(errors_name_line_and_column) {
    CHECK(
        {"{{.Foo}}", "!template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\""},
        {"a\nb {{.State.Foo}}",
         "!template: :2:10: executing \"\" at <.State.Foo>: map has no entry for key \"Foo\""},
        {"{{.Name.Foo}}", "!can't evaluate field Foo in type string"},
        {"{{.Nil.Foo}}", "!nil pointer evaluating interface {}.Foo"},
        {"{{nofunc 1}}", "!template: :1:2: function \"nofunc\" not defined"},
        {"{{call .Name}}", "!\"call\" is not supported"}, {"{{.Name", "!unclosed action"},
        {"{{if .Name}}", "!unexpected EOF"}, {"{{end}}", "!unexpected {{end}}"},
        {"{{else}}", "!unexpected {{else}}"}, {"{{if}}x{{end}}", "!missing value for if"},
        {"{{}}", "!missing value for command"}, {"{{\"x}}", "!unterminated quoted string"},
        {"{{`x}}", "!unterminated raw quoted string"},
        {"{{'x}}", "!unterminated character constant"}, {"{{(1}}", "!unclosed left paren"},
        {"{{1)}}", "!unexpected right paren"}, {"{{/* x}}", "!unclosed comment"},
        {"{{/* x */ 1}}", "!comment ends before closing delimiter"},
        {"{{break}}", "!{{break}} outside {{range}}"}, {"{{\"a\"\"b\"}}", "!unexpected"},
        {"{{.Name}}{{#}}", "!unexpected bad character U+0023 in command"},
        {"{{3.x}}", "!bad number syntax"}, {"{{\"s\".x}}", "!unexpected . after term"},
        {"{{printf}}", "!wrong number of args for printf"},
        {"{{index .List 9 }}", "!error calling index: index out of range: 9"},
        {"{{range $a, $b, $c := .List}}{{end}}", "!undefined variable"},
        {"{{$a, $b := .List}}", "!too many declarations"},
        {"{{range 3000}}{{range 3000}}{{end}}{{end}}", "!does not come to an end"});
}

static struct err get_name(const void *self, struct arena *a, const struct template_value *args,
                           size_t n, struct template_value *ret) {
    (void)a, (void)args, (void)n;
    *ret = template_strz(self);
    return OK;
}

static struct err get_label(const void *self, struct arena *a, const struct template_value *args,
                            size_t n, struct template_value *ret) {
    (void)self, (void)n;
    *ret = template_strz(arena_printf(a, "label %.*s", STR_ARG(args[0].s)));
    return OK;
}

TEST(views_have_members_and_methods) {
    static const struct template_member members[] = {
        {"Name", get_name, 0, 0}, {"Label", get_label, 1, 1}, {"ID", get_name, 0, 0}};
    static const struct template_type type = {"*formatter.Thing", members, ARRAY_LEN(members)};
    struct template_value v = {.kind = TEMPLATE_VIEW, .view = {&type, "web"}};
    static const struct row rows[] = {
        {"{{.Name}} {{.Label \"x\"}} {{json .}}", "web label x {\"ID\":\"web\",\"Name\":\"web\"}"},
        {"{{.}}", "{web web}"},
        {"{{.Foo}}", "!can't evaluate field Foo in type *formatter.Thing"},
        {"{{.Label}}", "!wrong number of args for Label: want 1 got 0"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEAN_TEMPLATE struct template *t = NULL;
        CLEAN_BUF struct buf out = {0};
        assert_ok(template_parse("", str_of(rows[i].text), NULL, 0, &t));
        CLEAN_ERR struct err e = template_run(t, &v, &out);
        if (rows[i].wanted[0] == '!')
            assert_non_null(strstr(err_msg(e), rows[i].wanted + 1));
        else
            assert_string_equal(buf_cstr(&out), rows[i].wanted);
    }
}

static bool member(const void *type, struct str name, struct template_field *ret) {
    if (strcmp(type, "outer") != 0)
        return false;
    ret->key = str_eqz(name, "CPUs") ? STR("Cpus") : name;
    ret->zero = str_eqz(name, "Health") ? (struct template_value){.kind = TEMPLATE_NIL}
                                        : template_str(STR(""));
    ret->type = str_eqz(name, "Labels") ? "labels" : NULL;
    return str_eqz(name, "CPUs") || str_eqz(name, "Health") || str_eqz(name, "Labels") ||
           str_eqz(name, "Absent");
}

static void element(const void *type, struct template_field *ret) {
    if (strcmp(type, "labels") == 0)
        ret->zero = template_str(STR(""));
}

TEST(a_schema_knows_what_json_leaves_out) {
    static const struct template_schema schema = {member, element};
    CLEAN_JSON struct json *root = NULL;
    assert_ok(json_parse(STR("{\"Cpus\":3,\"Labels\":{\"a\":\"b\"}}"), &root));
    struct template_value v = template_json(root);
    v.schema = &schema;
    v.type = "outer";
    static const struct row rows[] = {
        {"{{.CPUs}}|{{.Absent}}|{{.Health}}|{{if .Health}}x{{end}}", "3||<nil>|"},
        {"{{index .Labels \"a\"}}|{{index .Labels \"no\"}}|", "b||"},
        {"{{.Other}}", "!map has no entry for key \"Other\""}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEAN_TEMPLATE struct template *t = NULL;
        CLEAN_BUF struct buf out = {0};
        assert_ok(template_parse("", str_of(rows[i].text), NULL, 0, &t));
        CLEAN_ERR struct err e = template_run(t, &v, &out);
        if (rows[i].wanted[0] == '!')
            assert_non_null(strstr(err_msg(e), rows[i].wanted + 1));
        else
            assert_string_equal(buf_cstr(&out), rows[i].wanted);
    }
}
