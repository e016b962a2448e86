//! Tells the line how much of each drop is left, so that it can say "sold out" and stop calling.

use admission::ids::DropId;
use admission::line::{LineError, Stock};
use anyhow::Context as _;
use sqlx::{FromRow, PgPool};

use crate::app::App;

#[derive(FromRow)]
struct Row {
    drop_id: String,
    capacity: i64,
    held: i64,
    sold: i64,
}

/// Reports every drop that has not ended once. A drop that opens by itself stays `scheduled` in Postgres.
pub async fn do_once(app: &App) -> anyhow::Result<()> {
    for row in stocks(&app.pool).await? {
        let Some(drop) = DropId::parse(&row.drop_id) else { continue };
        let stock =
            Stock { capacity: row.capacity.try_into()?, held: row.held.try_into()?, sold: row.sold.try_into()? };
        match app.line.report_stock(&drop, stock).await {
            // its turn comes again in a moment
            Ok(()) | Err(LineError::Restoring) => {}
            Err(error) => return Err(error).context("reporting stock"),
        }
    }
    Ok(())
}

/// Protected seats that nobody has count only from the moment when they are everybody's: before, fans would be called
/// for seats that they cannot have.
async fn stocks(pool: &PgPool) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT drop_id,
                sum(seats - CASE WHEN open_left > 0 THEN kept ELSE 0 END)::bigint AS capacity,
                sum(held)::bigint AS held, sum(sold)::bigint AS sold
         FROM (SELECT d.drop_id,
                      count(*) FILTER (WHERE t.status <> 'cancelled') AS seats,
                      count(*) FILTER (WHERE t.pool <> 'open' AND t.status = 'available' AND c.state IS NULL) AS kept,
                      count(*) FILTER (WHERE t.pool = 'open' AND t.status = 'available'
                                         AND c.state IS DISTINCT FROM 'sold') AS open_left,
                      count(*) FILTER (WHERE c.state = 'held') AS held,
                      count(*) FILTER (WHERE c.state = 'sold') AS sold
               FROM drops d JOIN drop_events USING (drop_id) JOIN tickets t USING (event_id)
                    LEFT JOIN claims c ON c.ticket_id = t.ticket_id AND c.is_live
               WHERE d.state <> 'ended' GROUP BY d.drop_id, t.event_id) events
         GROUP BY drop_id",
    )
    .fetch_all(pool)
    .await
}
