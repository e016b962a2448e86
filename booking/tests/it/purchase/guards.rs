//! Each guard alone: the others are tricked out of the way, and the one left must hold.

use booking::purchase::sell::Sold;

use super::*;

/// A claim in the table that no checkout made and Redis knows nothing of.
async fn force_claim(fixture: &Fixture, booking_id: Uuid, seat: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO claims (booking_id, ticket_id) SELECT $1, ticket_id FROM tickets WHERE seat_number = $2")
        .bind(booking_id)
        .bind(seat)
        .execute(&fixture.world.pool)
        .await
        .map(|_| ())
}

#[tokio::test]
async fn the_index_allows_one_live_claim_a_ticket() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    booked(&fixture, &one, &sale, &["A-1"]).await;
    let second = booked(&fixture, &two, &sale, &["A-2"]).await.booking_id();
    let refused = force_claim(&fixture, second, "A-1").await.expect_err("one live claim a ticket");
    assert_eq!(shared::postgres::constraint(&refused), Some("claims_one_live_per_ticket"));
}

#[tokio::test]
async fn what_is_part_of_a_booking_is_not_taken_away() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    let id = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    let delete = async |sql: &'static str, id: Uuid| {
        let done = sqlx::query(sql).bind(id).execute(&fixture.world.pool).await;
        done.map(|done| done.rows_affected())
            .map_err(|error| error.as_database_error().unwrap().code().unwrap().to_string())
    };
    let user = "DELETE FROM users WHERE user_id = $1";
    let booking = "DELETE FROM bookings WHERE booking_id = $1";
    let tickets = "DELETE FROM tickets WHERE event_id = $1";
    const FOREIGN_KEY_VIOLATION: &str = "23503";
    for (sql, whose) in [(user, one.fan.user_id), (booking, id), (tickets, sale.event_id)] {
        assert_eq!(delete(sql, whose).await, Err(FOREIGN_KEY_VIOLATION.to_owned()), "{sql}");
    }
    assert_eq!(delete(user, two.fan.user_id).await, Ok(1), "who has booked nothing may go");
    let unsold = "DELETE FROM tickets WHERE event_id = $1 AND seat_number <> 'A-1'";
    assert_eq!(delete(unsold, sale.event_id).await, Ok(3));
}

#[tokio::test]
async fn checkout_counts_the_claims_it_got() {
    let fixture = still().await;
    let sale = fixture.on_sale(1, 4).await;
    let (one, two) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    // Redis has a projection in which are free
    let first = booked(&fixture, &one, &sale, &["A-1"]).await.booking_id();
    booking::seats::projection::do_once(&fixture.app).await.unwrap();
    force_claim(&fixture, first, "A-2").await.unwrap();

    let refused = checkout(&fixture, &two, &named(&sale, &["A-2", "A-3"])).await;
    assert_eq!(refused.told(), (409, "seats-taken"));
    assert_eq!(refused.body["seats"], json!(["A-2"]));
    assert_eq!(live_claims(&fixture).await, 2, "all or none");
    // and the best seats are found around it
    let found = checkout(&fixture, &two, &best(&sale, 2)).await;
    assert_eq!(found.seats(), ["A-3", "A-4"]);
}

#[tokio::test]
async fn a_lost_claim_stops_the_sale_of_all() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1", "A-2"]).await.booking_id();
    sqlx::query(
        "UPDATE claims SET state = 'released'
         WHERE ticket_id = (SELECT ticket_id FROM tickets WHERE seat_number = 'A-2')",
    )
    .execute(&fixture.world.pool)
    .await
    .unwrap();
    paid_but_lost(&fixture, &buyer, id).await;
}

#[tokio::test]
async fn a_withdrawn_ticket_stops_the_sale_of_all() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1", "A-2"]).await.booking_id();
    sqlx::query("UPDATE tickets SET status = 'cancelled' WHERE seat_number = 'A-2'")
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    paid_but_lost(&fixture, &buyer, id).await;
}

/// The money was authorised, nothing was sold, the money goes back.
async fn paid_but_lost(fixture: &Fixture, buyer: &Buyer, id: Uuid) {
    let lost = confirm(fixture, &buyer.fan, id, Some("pm_card_visa")).await;
    assert_eq!(lost.told(), (410, "booking-expired"));
    assert_eq!(lost.body["reason"], "payment-lost");
    assert_eq!((purchased(fixture).await, live_claims(fixture).await), (0, 0));
    drain_outbox(fixture).await;
    assert_eq!(intent_status(fixture, id).await, "canceled");
}

#[tokio::test]
async fn a_booking_is_sold_once_however_many_decide() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1", "A-2"]).await.booking_id();
    let intent = intent_id(&fixture, id).await;
    let deciding = (0..8).map(|_| fixture.app.counter.sell(id, &intent, fixture.clock.now()));
    let decided = futures_util::future::join_all(deciding).await;
    let now = decided.iter().filter(|sold| matches!(sold, Ok(Sold::Now { .. }))).count();
    let before = decided.iter().filter(|sold| matches!(sold, Ok(Sold::Before))).count();
    assert_eq!((now, before), (1, 7));
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'capture'").await, 1);
}

#[tokio::test]
async fn selling_and_freeing_exclude_each_other() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(4, 4).await;
    for row in ["A", "B", "C", "D"] {
        let buyer = buyer(&fixture, &sale).await;
        let seat = format!("{row}-1");
        let id = booked(&fixture, &buyer, &sale, &[&seat]).await.booking_id();
        let (paid, gone) =
            tokio::join!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")), cancel(&fixture, &buyer.fan, id),);
        drain_outbox(&fixture).await;
        let money = intent_status(&fixture, id).await;
        match paid.status {
            200 => assert_eq!((gone.told(), money.as_str()), ((409, "booking-completed"), "succeeded")),
            _ => assert_eq!((gone.status, money.as_str()), (200, "canceled"), "{paid:?}"),
        }
    }
}
