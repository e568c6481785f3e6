use super::Options;

fn parse(line: &str) -> anyhow::Result<Options> {
    Options::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
}

#[test]
fn a_quick_run_is_short_unless_told_otherwise() {
    let quick = parse("--quick").unwrap();
    assert_eq!((quick.rounds, quick.seconds), (1, 2));
    let longer = parse("--quick --seconds 4").unwrap();
    assert_eq!((longer.rounds, longer.seconds), (1, 4));
}

#[test]
fn only_what_is_named_is_wanted() {
    let options = parse("--only latency --only fan-out").unwrap();
    assert!(options.wants("latency at 1,000/s"));
    assert!(options.wants("fan-out to 100 queues"));
    assert!(!options.wants("topic routing"));
    assert!(parse("--quick").unwrap().wants("topic routing"));
}

#[test]
fn what_cannot_be_understood_is_named() {
    assert_eq!(parse("--rounds many").unwrap_err().to_string(), "--rounds many: not a number");
    assert_eq!(parse("--json").unwrap_err().to_string(), "--json needs a value");
    assert!(parse("--fast").unwrap_err().to_string().starts_with("no option is named --fast"));
}
