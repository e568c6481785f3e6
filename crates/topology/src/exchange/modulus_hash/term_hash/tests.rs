use super::of_list;

/// What `erlang:phash2(List, 1 bsl 27)` answers.
#[test]
fn the_hash_is_erlangs() {
    let observed: &[(&[&[u8]], u32)] = &[
        (&[], 113_427_502),
        (&[b""], 38_220_213),
        (&[b"a"], 53_691_870),
        (&[b"k1"], 21_317_394),
        (&[b"orders.eu.42"], 12_258_670),
        (&[b"orders.eu.4242"], 100_005_062),
        (&[b"a", b"b"], 3_094_894),
        (&[b"0123456789ab0123456789abcdef", b""], 41_591_166),
    ];
    for (list, expected) in observed {
        assert_eq!(of_list(list) % (1 << 27), *expected, "{list:?}");
    }
}
