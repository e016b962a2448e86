//! The seats of a booking in one line: `Parquet, left · Row A, seats 3–4`.

use crate::{accounts::Order, app::App, pages::words};

/// Neighbours together. While the hall cannot be read, the seats' labels say enough to find them.
pub(super) async fn of(app: &App, order: &Order) -> String {
    let Some(path) = &order.event.layout else {
        return words::counted(order.seats.len() as u64, "ticket", "tickets");
    };
    let described = match app.plans.of(&app.pool, &app.layouts, path).await {
        Ok(plan) => order.seats.iter().map(|label| plan.describe(label)).collect::<Option<Vec<_>>>(),
        Err(error) => {
            tracing::warn!(error = format!("{:#}", anyhow::Error::from(error)), "the hall of a booking");
            None
        }
    };
    described.map_or_else(|| order.seats.join(", "), |seats| in_words(&seats))
}

/// Of (zone, row, number), in the hall's order.
fn in_words(seats: &[(String, String, u32)]) -> String {
    let rows = seats.chunk_by(|(zone, row, _), (other_zone, other_row, _)| zone == other_zone && row == other_row);
    let mut zone_before = None;
    let row = |seats: &[(String, String, u32)]| {
        let (zone, row, _) = &seats[0];
        let mut numbers: Vec<u32> = seats.iter().map(|(_, _, number)| *number).collect();
        numbers.sort_unstable();
        let noun = if numbers.len() == 1 { "seat" } else { "seats" };
        let place = format!("Row {row}, {noun} {}", runs(&numbers));
        if zone_before.replace(zone.clone()).as_ref() == Some(zone) { place } else { format!("{zone} · {place}") }
    };
    rows.map(row).collect::<Vec<_>>().join("; ")
}

/// `3–5, 8`
fn runs(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let run = |run: &[u32]| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}–{last}"),
        [] => String::new(),
    };
    runs.map(run).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_said_together() {
        let seat = |zone: &str, row: &str, number: u32| (zone.to_owned(), row.to_owned(), number);
        let seats = [
            seat("Parquet, left", "A", 4),
            seat("Parquet, left", "A", 3),
            seat("Parquet, left", "A", 8),
            seat("Parquet, left", "B", 1),
            seat("Balcony", "B", 1),
        ];
        assert_eq!(in_words(&seats), "Parquet, left · Row A, seats 3–4, 8; Row B, seat 1; Balcony · Row B, seat 1");
    }
}
