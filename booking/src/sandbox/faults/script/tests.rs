use super::*;

fn script(rules: &Value) -> Script {
    Script::parse(json!({ "rules": rules }).to_string().as_bytes()).expect("a good script")
}

fn fired(script: &Script) -> Vec<(u64, u64)> {
    script.rules.iter().map(|counted| (counted.seen, counted.fired)).collect()
}

#[test]
fn rules_are_asked_in_order_and_each_fires_as_often_as_it_says() {
    let mut script = script(&json!([
        { "call": "capture", "effect": "429", "times": 1 },
        { "call": "capture", "effect": "500", "every": 2 },
        { "call": "any", "effect": "timeout_after", "ms": 5, "times": 1 },
    ]));
    let late = Fault::Cut { after: Duration::from_millis(5), carried_out: true };
    let expected = [Some(Fault::TooMany), Some(late), Some(Fault::Fails { carried_out: false }), None];
    for (number, expected) in expected.into_iter().enumerate() {
        assert_eq!(script.call(Call::Capture, false), expected, "call {number}");
    }
    assert_eq!(script.call(Call::Fetch, false), None);
    assert_eq!(fired(&script), [(4, 1), (3, 1), (3, 1)]);
    assert_eq!(script.view()["rules"][1]["fired"], 1);
    assert_eq!(script.view()["rules"][1]["effect"], "500");
}

#[test]
fn an_answer_that_is_saved_is_not_spoiled_again() {
    let mut failing =
        script(&json!([{ "call": "create", "effect": "500" }, { "call": "create", "effect": "500_after" }]));
    assert_eq!(failing.call(Call::Create, true), None);
    assert_eq!(fired(&failing), [(0, 0), (0, 0)]);
    // but the line may break and the limit may be reached all the same
    let mut line = script(&json!([{ "call": "create", "effect": "429" }]));
    assert_eq!(line.call(Call::Create, true), Some(Fault::TooMany));
}

#[test]
fn webhooks_have_rules_of_their_own() {
    let mut script = script(&json!([
        { "call": "any", "effect": "500" },
        { "call": "webhook", "effect": "drop", "event": "payment_intent.succeeded" },
        { "call": "webhook", "effect": "duplicate", "count": 10, "times": 1 },
        { "call": "webhook", "effect": "delay", "ms": 900_000, "times": 1 },
        { "call": "webhook", "effect": "reorder", "count": 3 },
    ]));
    assert_eq!(script.webhook("payment_intent.succeeded"), Some(Spoiled::Dropped));
    assert_eq!(script.webhook("payment_intent.created"), Some(Spoiled::Copies(10)));
    assert_eq!(script.webhook("payment_intent.created"), Some(Spoiled::Late(Duration::from_secs(900))));
    let held = Spoiled::Held { count: 3, at_most: Duration::from_secs(1) };
    assert_eq!(script.webhook("payment_intent.created"), Some(held));
    assert_eq!(script.call(Call::List, false), Some(Fault::Fails { carried_out: false }));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    for (bad, field) in [
        (json!({ "call": "capture", "efect": "500" }), "rules[0].efect"),
        (json!({ "call": "capture", "effect": "501" }), "rules[0].effect"),
        (json!({ "call": "catch", "effect": "500" }), "rules[0].call"),
        (json!({ "call": "capture", "effect": "500", "times": "x" }), "rules[0].times"),
        (json!({ "call": "capture", "effect": "500", "times": 0 }), "rules[0].times"),
        (json!({ "call": "capture", "effect": "500", "every": 0 }), "rules[0].every"),
        (json!({ "call": "capture", "effect": "500", "ms": 1 }), "rules[0].ms"),
        (json!({ "call": "capture", "effect": "drop" }), "rules[0].effect"),
        (json!({ "call": "capture", "effect": "delay" }), "rules[0].ms"),
        (json!({ "call": "capture", "effect": "delay", "ms": 86_400_001 }), "rules[0].ms"),
        (json!({ "call": "capture", "effect": "429", "event": "x" }), "rules[0].event"),
        (json!({ "call": "webhook", "effect": "429" }), "rules[0].effect"),
        (json!({ "call": "webhook", "effect": "drop", "count": 2 }), "rules[0].count"),
        (json!({ "call": "webhook", "effect": "duplicate", "count": 0 }), "rules[0].count"),
        (json!({ "call": "webhook", "effect": "duplicate", "count": 101 }), "rules[0].count"),
    ] {
        let refused = Script::parse(json!({ "rules": [bad] }).to_string().as_bytes()).expect_err("refused");
        assert_eq!(refused.field, field, "{refused:?}");
    }
    assert_eq!(Script::parse(br#"{"rules": [], "x": 1}"#).expect_err("refused").field, "x");
    let many = json!({ "rules": vec![json!({ "call": "any", "effect": "429" }); 101] });
    assert_eq!(Script::parse(many.to_string().as_bytes()).expect_err("refused").field, "rules");
    for no_script in ["", "[]", "{}", "{"] {
        assert!(Script::parse(no_script.as_bytes()).is_err(), "{no_script}");
    }
}
