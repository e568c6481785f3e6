use super::*;

fn failure(query: &str) -> String {
    let failure = ranges(&Query::parse(query), false).expect_err("is wrong");
    failure.reason.as_str().expect("a text").to_owned()
}

#[test]
fn a_range_needs_an_age_and_a_step() {
    let lengths = |query: &str| ranges(&Query::parse(query), false).expect("is fine").lengths;
    let range = lengths("lengths_age=60&lengths_incr=10").expect("is one");
    assert_eq!((range.last_ms - range.first_ms, range.step_ms), (60_000, 10_000));
    assert_eq!(lengths("lengths_age=60"), None);
    assert_eq!(lengths("lengths_age=x&lengths_incr=y"), None);
    let wrong = "Invalid range parameters: age 60000, incr 5";
    assert_eq!(failure("msg_rates_age=60000&msg_rates_incr=5"), wrong);
    let wrong = "Invalid range parameters: age -1, incr 5";
    assert_eq!(failure("node_stats_age=-1&node_stats_incr=5"), wrong);
    assert_eq!(
        failure("data_rates_age=1&data_rates_incr=0"),
        "Invalid range parameters: age 1, incr 0"
    );
    failure("data_rates_age=9223372036854775807&data_rates_incr=9223372036854775807");
}

#[test]
fn a_figure_is_a_total_and_its_details() {
    let course = Course { average: Some((3.0, 0.2)), samples: vec![(10_000, 4), (5000, 2)] };
    let figure = |course| Figure { value: 4, rate: 0.4, course };
    assert_eq!(
        object(&vec![("ack", figure(None)), ("get", figure(Some(course)))]),
        json!({
            "ack": 4,
            "ack_details": { "rate": 0.4 },
            "get": 4,
            "get_details": {
                "rate": 0.4,
                "avg": 3.0,
                "avg_rate": 0.2,
                "samples": [
                    { "sample": 4, "timestamp": 10_000 }, { "sample": 2, "timestamp": 5000 },
                ],
            },
        })
    );
    let figures = vec![("ack", figure(None))];
    assert_eq!(at(&figures, &["ack"]), Some(json!(4)));
    assert_eq!(at(&figures, &["ack_details", "rate"]), Some(json!(0.4)));
    assert_eq!(at(&figures, &["get_details", "rate"]), None);
}
