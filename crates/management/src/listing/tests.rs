use super::*;

/// A fruit, in a list of them.
struct Fruit {
    name: &'static str,
    weight: u64,
    rate: Option<f64>,
}

impl Row for Fruit {
    const KEYS: &'static [Key<Self>] = &[
        ("name", |it| Some(it.name.into())),
        ("stats", |it| it.rate.map(|rate| json!({ "rate": rate, "count": 1 }))),
        ("weight", |it| Some(it.weight.into())),
    ];

    fn name(&self) -> &str {
        self.name
    }
}

fn ask(query: &str) -> Result<Value, Failure> {
    let fruit = |name, weight, rate| Fruit { name, weight, rate };
    let fruits =
        vec![fruit("Apple", 3, Some(0.5)), fruit("fig", 20, None), fruit("pear", 5, Some(1.5))];
    let reply = list(&Query::parse(query), fruits)?;
    Ok(serde_json::from_slice(&reply.body).expect("JSON"))
}

fn names(query: &str) -> String {
    let found = ask(query).expect("is fine");
    let items = found.get("items").unwrap_or(&found).as_array().expect("a list").clone();
    let names: Vec<_> = items.iter().filter_map(|it| it["name"].as_str()).collect();
    names.join(" ")
}

#[test]
fn rows_are_sorted_by_what_is_asked_for() {
    assert_eq!(names(""), "Apple fig pear");
    assert_eq!(names("sort=weight"), "Apple pear fig");
    assert_eq!(names("sort=weight&sort_reverse=true"), "fig pear Apple");
    assert_eq!(names("sort=stats.rate&sort_reverse=true"), "pear Apple fig");
    assert_eq!(names("sort=nosuchfield"), "Apple fig pear");
    assert_eq!(names("sort="), "Apple fig pear");
}

#[test]
fn columns_are_those_asked_for() {
    let first = |query: &str| ask(query).expect("is fine")[0].clone();
    assert_eq!(first("columns=weight"), json!({ "weight": 3 }));
    assert_eq!(
        first("columns=name,stats.rate"),
        json!({ "name": "Apple", "stats": { "rate": 0.5 } })
    );
    assert_eq!(first("columns=nosuch"), json!([]));
    assert_eq!(first("columns="), json!([]));
}

#[test]
fn pages_say_where_they_are() {
    let page = ask("page=2&page_size=2&columns=name").expect("is fine");
    let expected = json!({
        "filtered_count": 3, "item_count": 1, "items": [{ "name": "pear" }], "page": 2,
        "page_count": 2, "page_size": 2, "total_count": 3,
    });
    assert_eq!(page, expected);
    assert_eq!(names("page=1&name=A"), "Apple pear");
    assert_eq!(names("page=1&name=^p&use_regex=true"), "pear");
    assert_eq!(names("page=1&name=^P&use_regex=true"), "pear");
    assert_eq!(names("page=1&name=[&use_regex=true"), "");
    // Names count on pages only.
    assert_eq!(names("name=fig"), "Apple fig pear");
}

#[test]
fn pages_that_are_none_are_refused_in_rabbitmq_s_words() {
    let refused = |query: &str, error, reason: &str| {
        assert_eq!(ask(query), Err(Failure::bad(error, reason)), "{query}");
    };
    refused(
        "page=9&page_size=2",
        "page_out_of_range",
        "Page out of range, page: 9 page size: 2, len: 3",
    );
    let invalid = "invalid_pagination_parameters";
    let text = "Invalid pagination parameters: page number 0, page size 2";
    refused("page=0&page_size=2", invalid, text);
    let text = "Invalid pagination parameters: page number 1, page size 501";
    refused("page=1&page_size=501", invalid, text);
    refused("page=abc", "bad_request", "Pagination parameters are invalid");
}

#[test]
fn columns_are_found_however_many_and_however_deep_they_are_asked_for() {
    let value = json!({ "a": { "b": 1, "c": 2 }, "d": 3 });
    let wanted = |columns: &str| {
        Columns::of(&Query::parse(&format!("columns={columns}"))).of_value(value.clone())
    };
    assert_eq!(wanted("a.b"), json!({ "a": { "b": 1 } }));
    assert_eq!(wanted("a.b,a.c,d"), value);
    assert_eq!(wanted("a,a.b"), json!({ "a": { "b": 1, "c": 2 } }));
    assert_eq!(wanted("a.b,a"), json!({ "a": { "b": 1, "c": 2 } }));
    assert_eq!(wanted("."), json!([]));
    assert_eq!(wanted(&"a.".repeat(100_000)), json!({ "a": [] }));
    let many: Vec<String> = (0..30_000).map(|n| format!("x{n}")).collect();
    assert_eq!(wanted(&format!("{},d", many.join(","))), json!({ "d": 3 }));
}
