use super::{Bar, Better, Figure, median, quantity, table};

fn figure(better: Better, leveret: f64, reference: Option<f64>, bars: &[Bar]) -> Figure {
    Figure {
        name: "a load".to_owned(),
        unit: "msg/s",
        better,
        leveret: Some(leveret),
        reference,
        bars: bars.to_vec(),
        note: String::new(),
    }
}

#[test]
fn all_bars_must_be_met() {
    let bars = [Bar::Own(300.0), Bar::Times(15.0)];
    let met = |leveret, reference| figure(Better::More, leveret, reference, &bars).is_met();
    assert_eq!(met(300.0, Some(20.0)), Some(true));
    assert_eq!(met(299.0, Some(1.0)), Some(false));
    assert_eq!(met(300.0, Some(21.0)), Some(false));
    assert_eq!(met(300.0, None), None, "there is no verdict without a reference");
}

#[test]
fn less_can_be_better() {
    let met = |leveret, bar| figure(Better::Less, leveret, Some(8.0), &[bar]).is_met();
    assert_eq!(met(5.0, Bar::Own(5.0)), Some(true));
    assert_eq!(met(5.1, Bar::Own(5.0)), Some(false));
    assert_eq!(met(4.0, Bar::Times(2.0)), Some(true));
    assert_eq!(met(7.9, Bar::Ahead), Some(true));
    assert_eq!(met(8.0, Bar::Ahead), Some(false));
}

#[test]
fn a_figure_without_bars_is_told_only() {
    assert_eq!(figure(Better::More, 1.0, None, &[]).is_met(), None);
}

#[test]
fn the_table_tells_it_all() {
    let mut missed = figure(Better::Less, 0.5, None, &[Bar::Own(0.4)]);
    missed.note = "why".to_owned();
    let fast =
        figure(Better::More, 3_100_000.0, Some(100_000.0), &[Bar::Own(3e6), Bar::Times(15.0)]);
    assert_eq!(
        table(&[fast, missed]),
        "\
| figure | unit | Leveret | reference | times better | bar | met | |
|---|---|---:|---:|---:|---|---|---|
| a load | msg/s | 3,100,000 | 100,000 | 31.0 | ≥ 3,000,000, ≥ 15× | yes |  |
| a load | msg/s | 0.5 | – | – | ≤ 0.4 | **no** | why |
"
    );
}

#[test]
fn quantities_are_short() {
    let cases = [
        (0.0, "0"),
        (0.4, "0.4"),
        (0.4041, "0.404"),
        (12.34, "12.3"),
        (100.4, "100"),
        (-1234.0, "-1,234"),
    ];
    for (value, text) in cases {
        assert_eq!(quantity(value), text);
    }
}

#[test]
fn the_median_is_one_of_the_values() {
    assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(vec![4.0, 1.0]), Some(1.0));
    assert_eq!(median(vec![]), None);
}
