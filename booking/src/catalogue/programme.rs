//! What is played and by whom: the part of an event that is there to be read.

use sqlx::{Postgres, Transaction};
use uuid::Uuid;

/// Characters in a name, a role or a composer.
pub const WORDS_CHARS_MAX: usize = 300;
/// Characters in a description.
pub const DESCRIPTION_CHARS_MAX: usize = 5_000;
/// Performers, and works, of one event.
pub const LIST_MAX: usize = 100;

/// The programme of an event that is created here; imported events bring their own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Programme {
    /// Paragraphs stand apart by an empty line.
    pub description: String,
    pub performers: Vec<Performer>,
    pub works: Vec<Work>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Performer {
    pub name: String,
    /// An orchestra, a choir, a band.
    pub is_group: bool,
    /// What they do in it; may be empty.
    pub role: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    pub name: String,
    /// May be empty.
    pub composer: String,
}

impl Programme {
    /// Whether it can be stored: within the limits above, no name empty, nothing that cannot be shown.
    pub(super) fn is_sound(&self) -> bool {
        let words = |text: &str| text.chars().count() <= WORDS_CHARS_MAX && !text.chars().any(char::is_control);
        let name = |text: &str| words(text) && !text.trim().is_empty();
        self.description.chars().count() <= DESCRIPTION_CHARS_MAX
            && !self.description.chars().any(|character| character.is_control() && character != '\n')
            && self.performers.len().max(self.works.len()) <= LIST_MAX
            && self.performers.iter().all(|performer| name(&performer.name) && words(&performer.role))
            && self.works.iter().all(|work| name(&work.name) && words(&work.composer))
    }
}

/// Stores performers and works in their order; performers known by name and kind are found again.
pub(super) async fn insert(
    tx: &mut Transaction<'_, Postgres>,
    event_id: Uuid,
    programme: &Programme,
) -> sqlx::Result<()> {
    for (position, performer) in (0_i32..).zip(&programme.performers) {
        let kind = if performer.is_group { "group" } else { "person" };
        sqlx::query(
            "WITH added AS (
                 INSERT INTO performers (performer_id, name, kind) VALUES ($1, $2, $3)
                 ON CONFLICT (name, kind) DO UPDATE SET name = excluded.name
                 RETURNING performer_id)
             INSERT INTO event_performers (event_id, position, performer_id, role)
             SELECT $4, $5, performer_id, $6 FROM added",
        )
        .bind(Uuid::now_v7())
        .bind(performer.name.trim())
        .bind(kind)
        .bind(event_id)
        .bind(position)
        .bind(performer.role.trim())
        .execute(&mut **tx)
        .await?;
    }
    for (position, work) in (0_i32..).zip(&programme.works) {
        sqlx::query("INSERT INTO event_works (event_id, position, name, composer) VALUES ($1, $2, $3, $4)")
            .bind(event_id)
            .bind(position)
            .bind(work.name.trim())
            .bind(work.composer.trim())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_is_not_stored() {
        let work = |name: &str| Work { name: name.into(), composer: String::new() };
        let programme = Programme { works: vec![work("Finlandia")], ..Programme::default() };
        assert!(Programme::default().is_sound() && programme.is_sound());
        for wrong in ["", "  ", "a\nb", &"x".repeat(WORDS_CHARS_MAX + 1)] {
            assert!(!Programme { works: vec![work(wrong)], ..Programme::default() }.is_sound(), "{wrong:?}");
        }
        assert!(!Programme { works: vec![work("a"); LIST_MAX + 1], ..Programme::default() }.is_sound());
        let told = |description: &str| Programme { description: description.into(), ..Programme::default() };
        assert!(told("One.\n\nTwo.").is_sound() && !told("a\0b").is_sound());
    }
}
