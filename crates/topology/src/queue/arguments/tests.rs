use crate::testing::{Transcript, value};
use crate::{DeclareQueue, Refusal};

fn declare(kind: &str, name: &str, text: &str) -> Result<(), Refusal> {
    let transcript = Transcript::new();
    let mut declare = DeclareQueue {
        vhost: "v".into(),
        name: "argprobe".into(),
        durable: true,
        ..DeclareQueue::default()
    };
    if name != "x-queue-type" {
        declare.arguments.set("x-queue-type", kind);
    }
    let name = field_table::ShortStr::new(name).expect("short");
    declare.arguments.insert(name, value(text));
    transcript.state.check_declare_queue(&declare).map(|_| ())
}

/// Until this type comes, what RabbitMQ accepts is refused for one reason only.
fn not_yet(kind: &str) -> String {
    format!(
        "invalid arg 'x-queue-type' for queue 'argprobe' in vhost 'v': \"unsupported queue type \
         '{kind}'\""
    )
}

#[test]
fn every_argument_is_judged_as_rabbitmq_does() {
    let observed = include_str!("observed.txt").lines().filter(|line| !line.starts_with('#'));
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in observed {
        let fields: Vec<_> = line.splitn(4, " | ").collect();
        let [kind, name, text, expected] = fields[..] else { panic!("{line}") };
        let expected = match (kind, expected) {
            ("stream", "ok") => not_yet(kind),
            _ => expected.replace("vhost 'err'", "vhost 'v'").replace("\\n", "\n"),
        };
        let answer = match declare(kind, name, text) {
            Ok(()) => "ok".to_owned(),
            Err(refusal) => refusal.text,
        };
        let is_right = match expected.strip_suffix('…') {
            Some(start) => answer.starts_with(start),
            None => answer == expected,
        };
        if !is_right {
            wrong.push(format!("{line}\n  answered: {answer}"));
        }
        count += 1;
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(250 < count, "the file is complete");
}
