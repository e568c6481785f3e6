use proptest::prelude::*;

use crate::{
    ArrayScanner, Decimal, DecodeError, FieldTable, FieldValue, MAX_DEPTH, ShortStr, TableScanner,
    ValueRef, is_canonical, text_of, validate_array, validate_table,
};

/// A field of each type, as a client sent them to RabbitMQ 4.3.6 and got them back.
const EVERY_TYPE: &[(&[u8], &str)] = &[
    (b"\x06bool_tt\x01", "bool"),
    (b"\x06int8_bb\xfb", "byte"),
    (b"\x07uint8_BB\xfa", "unsignedbyte"),
    (b"\x07int16_ss\xfe\xd4", "short"),
    (b"\x08uint16_uu\xea\x60", "unsignedshort"),
    (b"\x07int32_II\xff\xfe\xee\x90", "signedint"),
    (b"\x08uint32_ii\xee\x6b\x28\x00", "unsignedint"),
    (b"\x07int64_ll\xff\xff\xff\x00\x00\x00\x00\x00", "long"),
    (b"\x07float_ff\x3f\xc0\x00\x00", "float"),
    (b"\x08double_dd\x40\x04\x00\x00\x00\x00\x00\x00", "double"),
    (b"\x09decimal_DD\x02\x00\x00\x30\x39", "decimal"),
    (b"\x09longstr_SS\x00\x00\x00\x03abc", "longstr"),
    (b"\x08binary_xx\x00\x00\x00\x03\x00\xff\x01", "binary"),
    (b"\x0btimestamp_TT\x00\x00\x00\x00\x65\x53\xf1\x00", "timestamp"),
    (b"\x06void_VV", "void"),
    (b"\x07table_FF\x00\x00\x00\x08\x01kS\x00\x00\x00\x01v", "table"),
    (b"\x07array_AA\x00\x00\x00\x0dI\x00\x00\x00\x01S\x00\x00\x00\x01at\x00", "array"),
];

fn every_type() -> Vec<u8> {
    EVERY_TYPE.iter().flat_map(|(field, _)| field.iter().copied()).collect()
}

fn nested(depth: usize) -> Vec<u8> {
    (1..depth).fold(Vec::new(), |inner, _| {
        let mut outer = vec![1, b'n', b'F'];
        outer.extend_from_slice(&u32::try_from(inner.len()).unwrap().to_be_bytes());
        outer.extend_from_slice(&inner);
        outer
    })
}

#[test]
fn every_type_has_its_name_and_comes_back() {
    let table = FieldTable::decode_fields(&every_type()).unwrap();
    let names: Vec<_> = table.iter().map(|(_, value)| value.type_name()).collect();
    let expected: Vec<_> = EVERY_TYPE.iter().map(|(_, name)| *name).collect();
    assert_eq!(names, expected);
    let mut encoded = Vec::new();
    table.encode_fields(&mut encoded);
    assert_eq!(encoded, every_type());
}

#[test]
fn values_are_those_sent() {
    let table = FieldTable::decode_fields(&every_type()).unwrap();
    let value = |key: &str| table.get(key).unwrap().clone();
    assert_eq!(value("bool_t").as_bool(), Some(true));
    assert_eq!(value("int8_b").as_integer(), Some(-5));
    assert_eq!(value("uint8_B").as_integer(), Some(250));
    assert_eq!(value("int16_s").as_integer(), Some(-300));
    assert_eq!(value("uint16_u").as_integer(), Some(60_000));
    assert_eq!(value("int32_I").as_integer(), Some(-70_000));
    assert_eq!(value("uint32_i").as_integer(), Some(4_000_000_000));
    assert_eq!(value("int64_l").as_integer(), Some(-1_099_511_627_776));
    assert_eq!(value("float_f"), FieldValue::F32(1.5));
    assert_eq!(value("double_d"), 2.5.into());
    assert_eq!(value("decimal_D"), FieldValue::Decimal(Decimal { scale: 2, value: 12_345 }));
    assert_eq!(value("longstr_S").as_str(), Some("abc"));
    assert_eq!(value("binary_x"), FieldValue::Binary([0, 255, 1].into()));
    assert_eq!(value("timestamp_T"), FieldValue::Timestamp(1_700_000_000));
    assert_eq!(value("void_V"), FieldValue::Void);
    assert_eq!(value("table_F").as_table(), Some(&FieldTable::new().with("k", "v")));
    assert_eq!(value("array_A").as_array(), Some(&[1.into(), "a".into(), false.into()][..]));
    assert_eq!((value("timestamp_T").as_integer(), value("binary_x").as_str()), (None, None));
}

#[test]
fn every_truncation_is_refused() {
    for (field, name) in EVERY_TYPE {
        for len in 1..field.len() {
            let truncated = &field[..len];
            assert_eq!(validate_table(truncated), Err(DecodeError::Truncated), "{len} of {name}");
            assert_eq!(FieldTable::decode_fields(truncated), Err(DecodeError::Truncated));
        }
    }
}

#[test]
fn both_letters_for_a_long_are_signed_and_leave_as_the_small_one() {
    let table = FieldTable::decode_fields(b"\x01nL\xff\xff\xff\xff\xff\xff\xff\xff").unwrap();
    assert_eq!(table.get("n"), Some(&FieldValue::I64(-1)));
    let mut encoded = Vec::new();
    table.encode_fields(&mut encoded);
    assert_eq!(encoded, b"\x01nl\xff\xff\xff\xff\xff\xff\xff\xff");
}

#[test]
fn any_octet_but_zero_is_true() {
    let table = FieldTable::decode_fields(b"\x01nt\x07").unwrap();
    assert_eq!(table.get("n"), Some(&true.into()));
}

#[test]
fn second_spellings_are_recognised_however_deep() {
    assert!(is_canonical(&every_type()) && is_canonical(b"") && is_canonical(&nested(MAX_DEPTH)));
    assert!(!is_canonical(b"\x01nt\x02"));
    assert!(!is_canonical(b"\x01nL\x00\x00\x00\x00\x00\x00\x00\x01"));
    assert!(!is_canonical(b"\x01at\x01\x01nA\x00\x00\x00\x02t\x02"));
    assert!(!is_canonical(b"\x01nF\x00\x00\x00\x04\x01nt\x02"));
    assert!(!is_canonical(b"\x05n") && !is_canonical(b"\x01n?"));
}

#[test]
fn numbers_that_erlang_has_none_of_are_refused() {
    let infinite = [&b"\x01nd"[..], &f64::INFINITY.to_be_bytes()].concat();
    assert_eq!(validate_table(&infinite), Err(DecodeError::NotFinite));
    let not_a_number = [&b"\x01nf"[..], &f32::NAN.to_be_bytes()].concat();
    assert_eq!(FieldTable::decode_fields(&not_a_number), Err(DecodeError::NotFinite));
}

#[test]
fn unknown_types_are_refused_however_deep() {
    assert_eq!(validate_table(b"\x01n?"), Err(DecodeError::UnknownType(b'?')));
    let inside = b"\x01nA\x00\x00\x00\x08F\x00\x00\x00\x03\x01n?";
    assert_eq!(validate_table(inside), Err(DecodeError::UnknownType(b'?')));
    assert_eq!(FieldTable::decode_fields(inside), Err(DecodeError::UnknownType(b'?')));
    assert_eq!(validate_array(b"?"), Err(DecodeError::UnknownType(b'?')));
}

#[test]
fn nesting_ends_at_the_limit() {
    let deepest = nested(MAX_DEPTH);
    assert_eq!(validate_table(&deepest), Ok(()));
    let table = FieldTable::decode_fields(&deepest).unwrap();
    let mut encoded = Vec::new();
    table.encode_fields(&mut encoded);
    assert_eq!(encoded, deepest);

    let too_deep = nested(MAX_DEPTH + 1);
    assert_eq!(validate_table(&too_deep), Err(DecodeError::TooDeep));
    assert_eq!(FieldTable::decode_fields(&too_deep), Err(DecodeError::TooDeep));
    assert_eq!(validate_table(&nested(1000)), Err(DecodeError::TooDeep));
}

#[test]
fn a_table_comes_with_its_length() {
    let mut bytes = Vec::new();
    FieldTable::new().with("k", "v").encode(&mut bytes);
    assert_eq!(bytes, b"\x00\x00\x00\x08\x01kS\x00\x00\x00\x01v");
    bytes.extend_from_slice(b"rest");
    let (table, rest) = FieldTable::decode(&bytes).unwrap();
    assert_eq!((table.len(), rest), (1, &b"rest"[..]));
    assert_eq!(FieldTable::decode_all(&bytes), Err(DecodeError::TrailingBytes(4)));
    assert_eq!(FieldTable::decode(&bytes[..11]), Err(DecodeError::Truncated));
}

#[test]
fn fields_keep_their_order_and_their_first_key_counts() {
    let key = ShortStr::literal;
    let mut table = FieldTable::new().with("b", 1).with("a", 2);
    table.push(key("b"), 3);
    assert_eq!(table.get("b"), Some(&1.into()));
    assert_eq!(table.set("b", 4), Some(1.into()));
    assert_eq!(table.insert(key("c"), true), None);
    table.push_front(key("first"), "!");
    let keys: Vec<_> = table.iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!(keys, ["first", "b", "a", "b", "c"]);

    assert_eq!(table.remove("b"), Some(4.into()));
    assert_eq!(table.get("b"), Some(&3.into()));
    table.retain(|key, _| *key != "first");
    table.sort();
    let keys: Vec<_> = table.into_iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
}

#[test]
fn of_equal_keys_the_first_is_kept() {
    let mut table = FieldTable::new().with("b", 1).with("a", 2);
    table.push(ShortStr::literal("b"), 3);
    table.sort_unique();
    assert_eq!(table, FieldTable::new().with("a", 2).with("b", 1));
}

#[test]
fn scanning_lends_keys_and_values() {
    let fields = every_type();
    assert_eq!(TableScanner::find(&fields, "longstr_S"), Some(ValueRef::LongStr(b"abc")));
    assert_eq!(TableScanner::find(&fields, "int32_I").unwrap().as_integer(), Some(-70_000));
    assert_eq!(TableScanner::find(&fields, "absent"), None);
    let Some(ValueRef::Array(values)) = TableScanner::find(&fields, "array_A") else {
        panic!("an array was sent")
    };
    let values: Result<Vec<_>, _> = ArrayScanner::new(values).collect();
    let expected = [ValueRef::I32(1), ValueRef::LongStr(b"a"), ValueRef::Bool(false)];
    assert_eq!(values.unwrap(), expected);
}

#[test]
fn scanning_ends_at_damage() {
    let fields: Vec<_> = FieldTable::scan(b"\x01at\x01\x01b?\x01ct\x01").collect();
    let expected = [Ok((&b"a"[..], ValueRef::Bool(true))), Err(DecodeError::UnknownType(b'?'))];
    assert_eq!(fields, expected);
}

#[test]
fn a_short_string_has_at_most_255_bytes() {
    assert_eq!(ShortStr::new("x".repeat(255)).unwrap().len(), 255);
    let error = ShortStr::new("x".repeat(256)).unwrap_err();
    assert_eq!(error.to_string(), "short string of 256 bytes exceeds 255");
}

#[test]
fn bytes_that_are_not_utf8_print_as_latin1() {
    assert_eq!(text_of("kü".as_bytes()), "kü");
    assert_eq!(text_of(b"k\xff\xfe"), "kÿþ");
    assert_eq!(ShortStr::new(b"k\xff").unwrap().to_string(), "kÿ");
}

fn any_bytes() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Vec::into_boxed_slice)
}

fn any_value() -> impl Strategy<Value = FieldValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(FieldValue::Bool),
        any::<i8>().prop_map(FieldValue::I8),
        any::<u8>().prop_map(FieldValue::U8),
        any::<i16>().prop_map(FieldValue::I16),
        any::<u16>().prop_map(FieldValue::U16),
        any::<i32>().prop_map(FieldValue::I32),
        any::<u32>().prop_map(FieldValue::U32),
        any::<i64>().prop_map(FieldValue::I64),
        (-1e30_f32..1e30).prop_map(FieldValue::F32),
        (-1e300_f64..1e300).prop_map(FieldValue::F64),
        any::<(u8, u32)>().prop_map(|(scale, value)| FieldValue::Decimal(Decimal { scale, value })),
        any_bytes().prop_map(FieldValue::LongStr),
        any::<u64>().prop_map(FieldValue::Timestamp),
        any_bytes().prop_map(FieldValue::Binary),
        Just(FieldValue::Void),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let key = any_bytes().prop_map(|bytes| ShortStr::new(bytes).unwrap());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(FieldValue::Array),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|fields| FieldValue::Table(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back(value in any_value()) {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        let (decoded, rest) = FieldValue::decode(&bytes).unwrap();
        prop_assert_eq!(decoded, value);
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn validating_and_decoding_agree(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let owned = FieldTable::decode_fields(&bytes);
        prop_assert_eq!(validate_table(&bytes), owned.map(|_| ()));
    }

    #[test]
    fn validating_and_decoding_agree_on_damage(
        value in any_value(),
        at: prop::sample::Index,
        octet: u8,
    ) {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = octet;
        let owned: Result<Vec<_>, _> = {
            let mut rest = &bytes[..];
            std::iter::from_fn(|| {
                (!rest.is_empty()).then(|| {
                    let (value, after) = FieldValue::decode(rest)?;
                    rest = after;
                    Ok::<_, DecodeError>(value)
                })
            })
            .collect()
        };
        prop_assert_eq!(validate_array(&bytes).is_ok(), owned.is_ok());
    }
}
