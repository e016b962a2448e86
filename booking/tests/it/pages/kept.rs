//! Seats found for a fan: not too dear, and with a wheelchair space where one is needed.

use super::browser::{Browser, fields};
use crate::fixture::Fixture;
use crate::purchase::best_available::hall::on_sale;

fn rows(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

#[tokio::test]
async fn a_ceiling_is_kept_to() {
    let fixture = Fixture::start().await;
    let sale = on_sale(&fixture, &rows(&["....", "...."])).await;
    let path = format!("/e/{}/seats", sale.event_id);
    let fan = Browser::admitted(&fixture, &sale).await;
    let page = fan.get(&path).await;
    assert!(page.text.contains(r#"value="up-to:2500">up to €25.00<"#), "{}", page.text);
    assert!(!page.text.contains("up-to:5000"), "no dearer than the dearest is any: {}", page.text);
    assert!(!page.text.contains("wheelchair"), "this hall has no such places: {}", page.text);
    let wish = fields(&[("key", "k"), ("best", "1"), ("quantity", "2"), ("price", "up-to:2500")]);
    let held = fan.post(&path, &wish).await.location();
    let page = fan.get(&held).await;
    assert!(page.text.contains("Row 2") && page.text.contains("Pay €50.00"), "{}", page.text);
}

#[tokio::test]
async fn kept_seats_are_named_in_words_and_go_to_who_says_so() {
    let fixture = Fixture::start().await;
    let sale = on_sale(&fixture, &rows(&["....", "wc.."])).await;
    let path = format!("/e/{}/seats", sale.event_id);
    let (fan, other) = (Browser::admitted(&fixture, &sale).await, Browser::admitted(&fixture, &sale).await);
    let page = fan.get(&path).await;
    for part in [
        r#"<span class="kind">wheelchair space</span>"#,
        r#"<span class="kind">companion seat</span>"#,
        "With a wheelchair space",
        "For somebody in a wheelchair",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let mut wish = fields(&[("key", "k"), ("seats", "2-1"), ("seats", "2-2")]);
    let refused = fan.post(&path, &wish).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("Seats 2-1, 2-2 are kept for somebody in a wheelchair"), "{}", refused.text);
    assert!(refused.checked("2-1") && refused.checked("2-2"), "still chosen: {}", refused.text);
    wish.extend(fields(&[("accessible", "1")]));
    let page = fan.get(&fan.post(&path, &wish).await.location()).await;
    assert!(page.text.contains("· wheelchair space") && page.text.contains("· companion seat"), "{}", page.text);

    let best = fields(&[("key", "k"), ("best", "1"), ("quantity", "2"), ("accessible", "1")]);
    let gone = other.post(&path, &best).await;
    assert!(gone.status == 409 && gone.text.contains("not that many"), "{}", gone.text);
    assert_eq!(fan.post(&fan.post(&path, &wish).await.location(), &fields(&[("do", "cancel")])).await.status, 303);
    let page = other.get(&other.post(&path, &best).await.location()).await;
    assert!(page.text.contains("· wheelchair space"), "{}", page.text);
}
