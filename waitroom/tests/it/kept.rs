//! A stage whose line Postgres keeps, as in production: it comes back when Redis is cleared.

use std::ops::Deref;

use admission::{
    drops::{self, Drop, NewDrop, Settings},
    ids::DropId,
    line::Line,
    marks::Keeper,
};
use shared::testing::world;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::stage::{DROP, Stage, over};

pub(crate) struct Kept {
    stage: Stage,
    record: Drop,
    keeper: Mutex<Keeper>,
}

impl Deref for Kept {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

/// Open, and nobody waits for the others to come back.
pub(crate) async fn kept() -> Kept {
    let world = world().await;
    let (venue, event) = (Uuid::now_v7(), Uuid::now_v7());
    sqlx::query("INSERT INTO venues (venue_id, name) VALUES ($1, 'Hall')")
        .bind(venue)
        .execute(&world.pool)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO events (event_id, name, date, venue_id) VALUES ($1, 'An evening', current_date + 100, $2)",
    )
    .bind(event)
    .bind(venue)
    .execute(&world.pool)
    .await
    .unwrap();
    let settings = Settings { opens_at: Some("2025-01-01T00:00:00Z".parse().unwrap()), ..Settings::at_rate(60_000) };
    let new = NewDrop { id: DropId::parse(DROP).unwrap(), events: vec![event], settings };
    let record = drops::create(&world.pool, &Line::new(world.redis.clone()), &new, "cli").await.unwrap();
    let keeper = Mutex::new(Keeper::new(world.pool.clone(), 0));
    let kept = Kept { stage: over(world).await, record, keeper };
    kept.keep().await;
    kept
}

impl Kept {
    /// What the keeper does every second: writes down what must outlive Redis, or restores the line.
    pub(crate) async fn keep(&self) {
        self.keeper.lock().await.keep(&self.stage.line, &self.record).await.unwrap();
    }

    /// Redis is cleared, and the keeper notices.
    pub(crate) async fn clear_redis(&self) {
        self.lose_redis().await;
        self.keep().await;
    }
}
