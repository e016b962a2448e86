//! A hall of any size, and an exact solver: it looks at every seat and every run of neighbours as Postgres has them,
//! and shares no code with what it judges.

use booking::catalogue::create::{self, NewEvent};
use booking::catalogue::{programme::Programme, venues};
use jiff::civil;

use super::*;

pub(crate) const NEAR_PRICE: i64 = 5_000;
pub(crate) const FAR_PRICE: i64 = 2_500;

/// What a party asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) quantity: i64,
    pub(super) tier: Option<&'static str>,
    pub(super) zone: Option<&'static str>,
    pub(super) max_price: Option<i64>,
}

impl Asked {
    pub(super) fn body(&self, sale: &Sale) -> Value {
        let mut best = json!({ "quantity": self.quantity });
        for (name, value) in [("tier", self.tier.map(Value::from)), ("zone", self.zone.map(Value::from))] {
            if let Some(value) = value {
                best[name] = value;
            }
        }
        if let Some(most) = self.max_price {
            best["max_price"] = json!(most);
        }
        json!({ "event_id": sale.event_id, "best_available": best })
    }
}

/// Rows drawn as text, as long as each other: `.` a seat, `w` for a wheelchair, `c` for a companion; a space is an
/// aisle, left of it zone `left`, right of it `right`. The front half is tier `near`, the other `far`.
pub(crate) async fn on_sale(fixture: &Fixture, rows: &[String]) -> Sale {
    let pool = &fixture.world.pool;
    let slug = format!("hall-{}", Uuid::new_v4().simple());
    let venue = json!({
        "slug": slug, "name": "A Hall", "timezone": "Europe/Vienna",
        "layout": { "seats": seats(rows),
                    "tiers": [{ "tier": "near", "name": "Near" }, { "tier": "far", "name": "Far" }],
                    "zones": [{ "zone": "left", "name": "Left" }, { "zone": "right", "name": "Right" }] },
    });
    venues::import(pool, &venue.to_string()).await.expect("a venue");
    let event = NewEvent {
        name: "An Evening".to_owned(),
        venue_slug: slug,
        date: civil::date(2099, 5, 1),
        time: None,
        prices: vec![("near".to_owned(), NEAR_PRICE), ("far".to_owned(), FAR_PRICE)],
        currency: "EUR".to_owned(),
        fees: Vec::new(),
        capacity: None,
        programme: Programme::default(),
    };
    let event_id = create::create(pool, event).await.expect("an event");
    Sale { event_id, drop: fixture.drop_for(&[event_id]).await }
}

fn seats(rows: &[String]) -> Vec<Value> {
    let mut seats = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let middle = row.len() / 2;
        let tier = if index < rows.len().div_ceil(2) { "near" } else { "far" };
        let aisle = row.find(' ').unwrap_or(0);
        for (place, sign) in row.char_indices().filter(|(_, sign)| *sign != ' ') {
            let zone = if place < aisle { "left" } else { "right" };
            let across = i32::try_from(place).unwrap() - i32::try_from(middle).unwrap();
            let mut seat = json!({
                "seat": format!("{}-{}", index + 1, place + 1), "zone": zone, "row": (index + 1).to_string(),
                "number": place + 1, "tier": tier, "x": f64::from(across) * 0.5, "y": 3 + index,
            });
            match sign {
                'w' => seat["access"] = json!("wheelchair"),
                'c' => seat["access"] = json!("companion"),
                _ => {}
            }
            seats.push(seat);
        }
    }
    seats
}

/// Leaves only these seats of the event, by label, for sale.
pub(super) async fn withdraw_all_but(fixture: &Fixture, sale: &Sale, labels: &[String]) {
    sqlx::query("UPDATE tickets SET status = 'cancelled' WHERE event_id = $1 AND seat_number <> ALL($2)")
        .bind(sale.event_id)
        .bind(labels)
        .execute(&fixture.world.pool)
        .await
        .expect("withdrawn");
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Spot {
    pub(super) label: String,
    zone: String,
    tier: String,
    price: i64,
    pool: String,
    free: bool,
}

/// The seats of an event as they stand in Postgres, in the layout's order.
pub(super) struct Solver(Vec<Spot>);

impl Solver {
    pub(super) async fn look(fixture: &Fixture, sale: &Sale) -> Self {
        let spots = sqlx::query_as(
            "SELECT seat_number AS label, zone, tier, price, pool,
                    status = 'available' AND NOT EXISTS (
                        SELECT FROM claims c WHERE c.ticket_id = t.ticket_id AND c.is_live) AS free
             FROM tickets t WHERE event_id = $1 ORDER BY ordinal",
        )
        .bind(sale.event_id)
        .fetch_all(&fixture.world.pool)
        .await
        .expect("tickets");
        Solver(spots)
    }

    fn row(spot: &Spot) -> &str {
        spot.label.split('-').next().expect("row-number")
    }

    fn are_neighbours(one: &Spot, next: &Spot) -> bool {
        Self::row(one) == Self::row(next) && one.zone == next.zone && one.tier == next.tier && one.price == next.price
    }

    fn fits(spot: &Spot, asked: &Asked) -> bool {
        spot.pool == "open"
            && asked.tier.is_none_or(|tier| tier == spot.tier)
            && asked.zone.is_none_or(|zone| zone == spot.zone)
            && asked.max_price.is_none_or(|most| spot.price <= most)
    }

    /// Some free block that would do.
    pub(super) fn block(&self, asked: &Asked) -> Option<Vec<&str>> {
        let quantity = usize::try_from(asked.quantity).expect("a few");
        let is_block = |seats: &&[Spot]| {
            seats.iter().all(|spot| spot.free && Self::fits(spot, asked))
                && seats.windows(2).all(|pair| Self::are_neighbours(&pair[0], &pair[1]))
        };
        let block = self.0.windows(quantity).find(is_block)?;
        Some(block.iter().map(|spot| spot.label.as_str()).collect())
    }

    /// Free seats that would do, together or not.
    pub(super) fn left(&self, asked: &Asked) -> usize {
        self.0.iter().filter(|spot| spot.free && Self::fits(spot, asked)).count()
    }

    /// Whether these seats are what was asked for, and whether they are side by side.
    pub(super) fn judge(&self, asked: &Asked, labels: &[&str]) -> (bool, bool) {
        let places: Vec<usize> = labels
            .iter()
            .map(|label| self.0.iter().position(|spot| spot.label == *label).expect("a seat of the event"))
            .collect();
        let are_right = i64::try_from(places.len()).expect("a few") == asked.quantity
            && places.iter().all(|&place| Self::fits(&self.0[place], asked));
        let are_adjacent = places
            .windows(2)
            .all(|pair| pair[1] == pair[0] + 1 && Self::are_neighbours(&self.0[pair[0]], &self.0[pair[1]]));
        (are_right, are_adjacent)
    }

    /// Free seats with nobody free beside them.
    pub(super) fn singles(&self) -> Vec<&str> {
        let runs = self.0.chunk_by(|one, next| one.free == next.free && Self::are_neighbours(one, next));
        runs.filter(|run| run.len() == 1 && run[0].free).map(|run| run[0].label.as_str()).collect()
    }
}
