use super::*;

fn shown(format: Format, term: &Term) -> String {
    let mut out = Vec::new();
    let mut rows = Rows::new(format, false, vec!["c".to_owned()], &mut out).expect("a vector");
    rows.row(vec![term.clone()]).expect("a vector takes all");
    rows.finish().expect("a vector takes all");
    String::from_utf8(out).expect("text")
}

fn longstr(text: &str) -> Term {
    Term::Table(vec![("k".to_owned(), "longstr".to_owned(), Term::text(text))])
}

#[test]
fn strings_of_a_table_are_quoted_as_erlang_s() {
    assert_eq!(shown(Format::Table, &longstr("a\"b\\\n")), "[{\"k\",\"a\\\"b\\\\\\n\"}]\n");
    assert_eq!(shown(Format::Table, &longstr("")), "[{\"k\",[]}]\n");
    assert_eq!(shown(Format::Table, &longstr("\u{1F407}")), "[{\"k\",[128007]}]\n");
    let array = Term::Array(vec![
        ("long".to_owned(), Term::Int(1)),
        ("longstr".to_owned(), Term::text("x")),
    ]);
    let nested = Term::Table(vec![("a".to_owned(), "array".to_owned(), array)]);
    assert_eq!(shown(Format::Table, &nested), "[{\"a\",[1,\"x\"]}]\n");
    assert_eq!(
        shown(Format::Json, &nested),
        "[\n{\"c\":[[\"a\",\"array\",[[\"long\",1],[\"longstr\",\"x\"]]]]}\n]\n"
    );
}

#[test]
fn floats_always_have_a_point() {
    assert_eq!(shown(Format::Table, &Term::Float(1.0)), "1.0\n");
    assert_eq!(shown(Format::Table, &Term::Float(1e-5)), "1.0e-5\n");
    assert_eq!(shown(Format::Table, &Term::Float(0.25)), "0.25\n");
}

#[test]
fn texts_stand_in_a_table_as_they_are_and_in_csv_quoted() {
    let text = Term::text("a\tb \"c\"");
    assert_eq!(shown(Format::Table, &text), "a\tb \"c\"\n");
    assert_eq!(shown(Format::Csv, &text), "\"c\"\n\"a\tb \"\"c\"\"\"\n");
    assert_eq!(shown(Format::Erlang, &text), "[[{c,<<\"a\\tb \\\"c\\\"\">>}]]\n");
}

#[test]
fn words_that_are_not_erlang_s_atoms_are_quoted() {
    assert_eq!(shown(Format::Erlang, &Term::atom("rabbit@host")), "[[{c,rabbit@host}]]\n");
    assert_eq!(shown(Format::Erlang, &Term::nothing()), "[[{c,''}]]\n");
    assert_eq!(shown(Format::Erlang, &Term::atom("amqp/ssl")), "[[{c,'amqp/ssl'}]]\n");
}
