//! How far a sweep has come: a row that one process has at a time.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgExecutor};

use super::YOUNG;
use crate::app::App;

/// How long a sweep is one process's alone after its last page; one that dies gives it back so.
const LEASE: Duration = Duration::from_secs(120);
/// From the end of a deep sweep to the next.
const DEEP_PERIOD: Duration = Duration::from_secs(3_600);
/// Windows of the fresh sweep overlap by so much: the provider's clock is not ours.
const OVERLAP: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sweep {
    /// What was made since the last window.
    Fresh,
    /// Everything of the last `reconcile_back_s`.
    Deep,
}

/// The part of the provider's list that is being compared.
#[derive(Debug, PartialEq)]
pub(super) struct Window {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// The last intent compared.
    pub(super) after: Option<String>,
}

#[derive(FromRow)]
struct Row {
    from_at: Option<jiff_sqlx::Timestamp>,
    to_at: Option<jiff_sqlx::Timestamp>,
    after: Option<String>,
    finished_at: Option<jiff_sqlx::Timestamp>,
}

impl Sweep {
    fn as_str(self) -> &'static str {
        match self {
            Sweep::Fresh => "fresh",
            Sweep::Deep => "deep",
        }
    }

    /// The window to go on with; `None` while another process has the sweep or there is nothing to do.
    pub(super) async fn lease(self, app: &App) -> anyhow::Result<Option<Window>> {
        let now = app.clock.now();
        let Some(row) = lease(&app.pool, self, now, now.saturating_add(LEASE)?).await? else { return Ok(None) };
        let window = self.window(&row, now, Duration::from_secs(app.settings.reconcile_back_s))?;
        if window.is_none() {
            give_back(&app.pool, self, now).await?;
        }
        Ok(window)
    }

    fn window(self, row: &Row, now: Timestamp, back: Duration) -> anyhow::Result<Option<Window>> {
        let to = now.saturating_sub(YOUNG)?;
        let earliest = now.saturating_sub(back)?;
        let from = match (row.from_at, row.to_at, row.finished_at) {
            // under way
            (Some(from), Some(to), None) => {
                let (from, to) = (from.to_jiff(), to.to_jiff());
                return Ok(Some(Window { from, to, after: row.after.clone() }));
            }
            (_, Some(last), Some(_)) if self == Sweep::Fresh => last.to_jiff().saturating_sub(OVERLAP)?,
            (_, _, Some(finished)) if now < finished.to_jiff().saturating_add(DEEP_PERIOD)? => return Ok(None),
            _ => earliest,
        };
        Ok(Some(Window { from: from.max(earliest), to, after: None }))
    }

    /// One page further; the process goes on.
    pub(super) async fn keep(self, app: &App, window: &Window) -> anyhow::Result<()> {
        let now = app.clock.now();
        Ok(store(&app.pool, self, window, None, now.saturating_add(LEASE)?).await?)
    }

    /// As far as this step goes.
    pub(super) async fn put_back(self, app: &App, window: &Window) -> anyhow::Result<()> {
        Ok(store(&app.pool, self, window, None, app.clock.now()).await?)
    }

    pub(super) async fn finish(self, app: &App, window: &Window) -> anyhow::Result<()> {
        let now = app.clock.now();
        Ok(store(&app.pool, self, window, Some(now), now).await?)
    }
}

async fn lease(db: impl PgExecutor<'_>, sweep: Sweep, now: Timestamp, until: Timestamp) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "INSERT INTO reconciliations AS r (sweep, leased_until) VALUES ($1, $3)
         ON CONFLICT (sweep) DO UPDATE SET leased_until = EXCLUDED.leased_until WHERE r.leased_until <= $2
         RETURNING from_at, to_at, after, finished_at",
    )
    .bind(sweep.as_str())
    .bind(now.to_sqlx())
    .bind(until.to_sqlx())
    .fetch_optional(db)
    .await
}

async fn store(
    db: impl PgExecutor<'_>,
    sweep: Sweep,
    window: &Window,
    finished_at: Option<Timestamp>,
    leased_until: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE reconciliations SET from_at = $2, to_at = $3, after = $4, finished_at = $5, leased_until = $6
         WHERE sweep = $1",
    )
    .bind(sweep.as_str())
    .bind(window.from.to_sqlx())
    .bind(window.to.to_sqlx())
    .bind(window.after.as_deref())
    .bind(finished_at.map(|at| at.to_sqlx()))
    .bind(leased_until.to_sqlx())
    .execute(db)
    .await?;
    Ok(())
}

async fn give_back(db: impl PgExecutor<'_>, sweep: Sweep, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE reconciliations SET leased_until = $2 WHERE sweep = $1")
        .bind(sweep.as_str())
        .bind(now.to_sqlx())
        .execute(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK: Duration = Duration::from_secs(172_800);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000_000 + seconds).unwrap()
    }

    fn row(from: i64, to: i64, after: Option<&str>, finished: Option<i64>) -> Row {
        Row {
            from_at: Some(at(from).to_sqlx()),
            to_at: Some(at(to).to_sqlx()),
            after: after.map(str::to_owned),
            finished_at: finished.map(|finished| at(finished).to_sqlx()),
        }
    }

    fn span(window: Option<Window>) -> Option<(i64, i64)> {
        window.map(|window| (window.from.as_second() - 1_000_000_000, window.to.as_second() - 1_000_000_000))
    }

    #[test]
    fn the_first_window_is_all_there_is() {
        let new = Row { from_at: None, to_at: None, after: None, finished_at: None };
        for sweep in [Sweep::Fresh, Sweep::Deep] {
            assert_eq!(span(sweep.window(&new, at(0), BACK).unwrap()), Some((-172_800, -60)));
        }
    }

    #[test]
    fn a_window_under_way_is_gone_on_with() {
        let under_way = row(-500, -100, Some("pi_7"), None);
        let window = Sweep::Fresh.window(&under_way, at(0), BACK).unwrap().unwrap();
        assert_eq!(window, Window { from: at(-500), to: at(-100), after: Some("pi_7".to_owned()) });
    }

    #[test]
    fn the_next_window_begins_where_the_last_ended() {
        let done = row(-500, -100, Some("pi_7"), Some(-40));
        assert_eq!(span(Sweep::Fresh.window(&done, at(0), BACK).unwrap()), Some((-160, -60)));
        assert_eq!(Sweep::Deep.window(&done, at(0), BACK).unwrap(), None, "an hour has not passed");
        assert_eq!(span(Sweep::Deep.window(&done, at(3_600), BACK).unwrap()), Some((-169_200, 3_540)));
    }
}
