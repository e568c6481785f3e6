//! Messages of a traced vhost are copied to `amq.rabbitmq.trace`.

use crate::kit::Broker;

#[test]
fn a_vhost_is_traced_until_it_is_switched_off_or_the_broker_restarts() {
    let mut broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    ch.queue("copies");
    ch.bind("copies", "amq.rabbitmq.trace", "#");
    ch.publish("", "q", "before");
    assert_eq!(broker.ctl("trace_on"), "Trace enabled for vhost /\n");
    assert_eq!(broker.ctl("list_vhosts name tracing --no-table-headers"), "/\ttrue\n");

    ch.publish("", "q", "x");
    assert_eq!(ch.drain("q"), ["before", "x"]);
    let mut keys = Vec::new();
    while let Some(copy) = ch.get("copies") {
        keys.push(copy.delivery.routing_key.to_string());
    }
    assert_eq!(keys, ["publish.", "deliver.q", "deliver.q"]);

    assert_eq!(broker.ctl("trace_off"), "Trace disabled for vhost /\n");
    ch.publish("", "q", "x");
    assert_eq!(ch.ready("copies"), 0);

    broker.ctl("trace_on");
    broker.ctl("stop_app");
    broker.ctl("start_app");
    assert_eq!(broker.ctl("list_vhosts name tracing --no-table-headers"), "/\ttrue\n");
    broker.server.restart();
    assert_eq!(broker.ctl("list_vhosts name tracing --no-table-headers"), "/\tfalse\n");
}
