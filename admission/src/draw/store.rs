//! Draws in Postgres, one query a function. What is there stays: whoever comes second takes what the first
//! has written.

use sqlx::{FromRow, PgPool};

use super::{SeedFrom, beacon::Round, hexed::Hexed, tree::Hash};
use crate::ids::DropId;

/// What is known of a draw, without its list. Times are microseconds on Redis's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) root: Hash,
    pub(super) count: u64,
    pub(super) frozen_at: Option<u64>,
    pub(super) round: Option<u64>,
    pub(super) seed: Option<Seed>,
    pub(super) drawn_at: Option<u64>,
}

/// What orders the places, and below which opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seed {
    pub(super) seed: [u8; 32],
    pub(super) from: SeedFrom,
    pub(super) signature: Option<Hexed<48>>,
    pub(super) opens_at: u64,
}

#[derive(FromRow)]
struct Row {
    root: Vec<u8>,
    count: i64,
    frozen_at: Option<i64>,
    round: Option<i64>,
    seed: Option<Vec<u8>>,
    seed_from: Option<String>,
    signature: Option<Vec<u8>>,
    opens_at: Option<i64>,
    drawn_at: Option<i64>,
}

pub(super) async fn read(pool: &PgPool, drop: &DropId) -> sqlx::Result<Option<Stored>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT root, octet_length(entrants)::bigint / 16 AS count, frozen_at, round, seed, seed_from, signature, \
                opens_at, drawn_at FROM draws WHERE drop_id = $1",
    )
    .bind(drop.as_str())
    .fetch_optional(pool)
    .await?;
    row.map(|row| row.read().ok_or_else(|| sqlx::Error::Decode(format!("the draw of {drop} is unreadable").into())))
        .transpose()
}

pub(super) async fn list(pool: &PgPool, drop: &DropId) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar("SELECT entrants FROM draws WHERE drop_id = $1").bind(drop.as_str()).fetch_one(pool).await
}

/// The first list of a drop is its list for good.
pub(super) async fn insert(pool: &PgPool, drop: &DropId, list: &[u8], root: &Hash) -> sqlx::Result<()> {
    // the drop is locked against whoever is changing its times or its draw: from here on they find the list
    sqlx::query(
        "INSERT INTO draws (drop_id, entrants, root) \
         SELECT drop_id, $2, $3 FROM drops WHERE drop_id = $1 FOR SHARE \
         ON CONFLICT (drop_id) DO NOTHING",
    )
    .bind(drop.as_str())
    .bind(list)
    .bind(&root[..])
    .execute(pool)
    .await
    .map(|_| ())
}

/// List and root had been shown at `at`; with a beacon, the round is the one the rules name then. Whether there
/// is one, the drop itself says: what a process remembers of it may be older than the last change.
pub(super) async fn set_frozen(pool: &PgPool, drop: &DropId, at: u64, round: u64) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE draws SET frozen_at = $2, round = CASE drops.draw_source WHEN 'beacon' THEN $3::bigint END \
           FROM drops WHERE draws.drop_id = $1 AND drops.drop_id = $1 AND frozen_at IS NULL",
    )
    .bind(drop.as_str())
    .bind(signed(at))
    .bind(signed(round))
    .execute(pool)
    .await
    .map(|_| ())
}

pub(super) async fn set_seed(pool: &PgPool, drop: &DropId, seed: &Seed) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE draws SET seed = $2, seed_from = $3, signature = $4, opens_at = $5 \
          WHERE drop_id = $1 AND seed IS NULL AND frozen_at IS NOT NULL",
    )
    .bind(drop.as_str())
    .bind(&seed.seed[..])
    .bind(seed.from.as_str())
    .bind(seed.signature.as_ref().map(|signature| &signature.bytes()[..]))
    .bind(signed(seed.opens_at))
    .execute(pool)
    .await
    .map(|_| ())
}

pub(super) async fn set_drawn(pool: &PgPool, drop: &DropId, at: u64) -> sqlx::Result<()> {
    sqlx::query("UPDATE draws SET drawn_at = $2 WHERE drop_id = $1 AND drawn_at IS NULL AND seed IS NOT NULL")
        .bind(drop.as_str())
        .bind(signed(at))
        .execute(pool)
        .await
        .map(|_| ())
}

impl Row {
    fn read(self) -> Option<Stored> {
        let seed = match (self.seed, self.seed_from, self.opens_at) {
            (Some(seed), Some(from), Some(opens_at)) => Some(Seed {
                seed: seed.try_into().ok()?,
                from: SeedFrom::parse(&from)?,
                signature: match self.signature {
                    Some(bytes) => Some(Hexed::from(<[u8; 48]>::try_from(bytes).ok()?)),
                    None => None,
                },
                opens_at: opens_at.unsigned_abs(),
            }),
            _ => None,
        };
        Some(Stored {
            root: self.root.try_into().ok()?,
            count: self.count.unsigned_abs(),
            frozen_at: self.frozen_at.map(i64::unsigned_abs),
            round: self.round.map(i64::unsigned_abs),
            seed,
            drawn_at: self.drawn_at.map(i64::unsigned_abs),
        })
    }
}

impl Stored {
    /// The round the seed is from.
    pub(super) fn drawn_round(&self) -> Option<Round> {
        Some(Round { round: self.round?, signature: self.seed.as_ref()?.signature? })
    }
}

impl SeedFrom {
    fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Round => "round",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Secret, Self::Round].into_iter().find(|from| from.as_str() == word)
    }
}

/// Postgres has no unsigned type; microseconds and rounds stay far below its limit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{draw::tree::Tree, ids::Place};

    #[tokio::test]
    async fn the_first_list_round_and_seed_stay() {
        let world = shared::testing::world().await;
        let (pool, drop) = (&world.pool, DropId::parse("evening").unwrap());
        sqlx::query(
            "INSERT INTO drops (drop_id, rate_per_minute, seed, draw_source) VALUES ('evening', 60, $1, 'beacon')",
        )
        .bind(&[7u8; 32][..])
        .execute(pool)
        .await
        .unwrap();
        assert_eq!(read(pool, &drop).await.unwrap(), None);
        let lists = [1u128, 2].map(|n| Tree::new(vec![Place::from_bytes(n.to_be_bytes())]));
        for tree in &lists {
            insert(pool, &drop, &crate::draw::list_bytes(tree.places()), &tree.root()).await.unwrap();
        }
        let seed = |byte| Seed { seed: [byte; 32], from: SeedFrom::Secret, signature: None, opens_at: 9 };
        set_seed(pool, &drop, &seed(1)).await.unwrap();
        assert_eq!(read(pool, &drop).await.unwrap().unwrap().seed, None, "no seed before the list was shown");
        set_frozen(pool, &drop, 5, 123).await.unwrap();
        set_frozen(pool, &drop, 6, 124).await.unwrap();
        set_drawn(pool, &drop, 7).await.unwrap();
        set_seed(pool, &drop, &seed(2)).await.unwrap();
        set_seed(pool, &drop, &seed(3)).await.unwrap();
        set_drawn(pool, &drop, 8).await.unwrap();
        set_drawn(pool, &drop, 9).await.unwrap();
        let expected = Stored {
            root: lists[0].root(),
            count: 1,
            frozen_at: Some(5),
            round: Some(123),
            seed: Some(seed(2)),
            drawn_at: Some(8),
        };
        assert_eq!(read(pool, &drop).await.unwrap(), Some(expected));
        assert_eq!(list(pool, &drop).await.unwrap(), crate::draw::list_bytes(lists[0].places()));
    }
}
