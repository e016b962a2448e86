//! "It is your turn": the one mail a fan in a line asked for. Its text stands in `mails/`, the subject first.

use admission::{
    ids::{DropId, Place},
    mails::{Language, Wish},
};
use anyhow::Context as _;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use lettre::Message;
use lettre::message::{Mailbox, SinglePart};
use sqlx::{FromRow, PgExecutor, PgPool};

use crate::app::App;

/// A place whose turn has come, with the address to write to.
pub(super) struct Letter {
    about: About,
    drop: DropId,
    place: Place,
    wish: Wish,
}

#[derive(FromRow)]
struct About {
    sealed: Vec<u8>,
    called_at: i64,
    deadline: jiff_sqlx::Timestamp,
    title: String,
    grace_s: i32,
}

impl Letter {
    /// `None` when there is nobody to write to any more: the mail is sent, or its time is over.
    pub(super) async fn load(app: &App, drop_id: &str, place: &str) -> anyhow::Result<Option<Self>> {
        let drop = DropId::parse(drop_id).context("the drop's id")?;
        let place = Place::parse(place).context("the place")?;
        let Some(about) = about(&app.pool, &drop, place).await? else { return Ok(None) };
        let wish = Wish::open(&app.vault, &drop, place, &about.sealed).context("the fan's address")?;
        let letter = Letter { about, drop, place, wish };
        if app.clock.now() > letter.kept_until()? {
            letter.forget(&app.pool).await?;
            return Ok(None);
        }
        Ok(Some(letter))
    }

    pub(super) fn message(&self, from: &Mailbox, public_url: &str, now: Timestamp) -> anyhow::Result<Message> {
        // the error would quote the address: leave it out
        let address = self.wish.email.parse().ok().context("the fan's address is malformed")?;
        let title = if self.about.title.is_empty() { self.drop.readable() } else { self.about.title.clone() };
        let deadline = self.about.deadline.to_jiff();
        let minutes = (deadline.duration_since(now).as_secs() / 60).max(0);
        let said = text(self.wish.lang)
            .replace("{title}", &title)
            .replace("{deadline}", &deadline.strftime("%Y-%m-%d %H:%M").to_string())
            .replace("{minutes}", &minutes.to_string())
            .replace("{link}", &format!("{public_url}/queue/{}", self.drop));
        let (subject, body) = said.split_once("\n\n").context("a mail without a subject")?;
        let domain = from.email.domain();
        Ok(Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, address))
            .subject(subject)
            // the same letter sent twice has the same id, so that a mailbox may show it once
            .message_id(Some(format!("<turn.{}.{}@{domain}>", self.place.jti(&self.drop), self.about.called_at)))
            .singlepart(SinglePart::plain(body.to_owned()))?)
    }

    /// The address is not needed any more.
    pub(super) async fn forget(&self, db: impl PgExecutor<'_>) -> sqlx::Result<()> {
        sqlx::query("UPDATE turn_mails SET sealed = NULL WHERE drop_id = $1 AND place = $2 AND called_at = $3")
            .bind(self.drop.as_str())
            .bind(self.place.to_string())
            .bind(self.about.called_at)
            .execute(db)
            .await?;
        Ok(())
    }

    /// Who comes later than this finds the turn gone.
    fn kept_until(&self) -> anyhow::Result<Timestamp> {
        let grace = jiff::SignedDuration::from_secs(self.about.grace_s.into());
        Ok(self.about.deadline.to_jiff().saturating_add(grace)?)
    }
}

/// Hands those whose turn has come over to the outbox; how many.
pub async fn queue(pool: &PgPool, now: Timestamp) -> sqlx::Result<u64> {
    let queued = sqlx::query(
        "WITH due AS (
             UPDATE turn_mails SET queued_at = $1
             WHERE sealed IS NOT NULL AND deadline IS NOT NULL AND queued_at IS NULL
             RETURNING drop_id, place)
         INSERT INTO outbox (kind, body, run_at, created_at)
         SELECT 'turn-mail', jsonb_build_object('drop_id', drop_id, 'place', place), $1, $1 FROM due",
    )
    .bind(now.to_sqlx())
    .execute(pool)
    .await?;
    Ok(queued.rows_affected())
}

async fn about(pool: &PgPool, drop: &DropId, place: Place) -> sqlx::Result<Option<About>> {
    sqlx::query_as(
        "SELECT sealed, called_at, deadline, title, grace_s FROM turn_mails JOIN drops USING (drop_id)
         WHERE drop_id = $1 AND place = $2 AND sealed IS NOT NULL AND deadline IS NOT NULL",
    )
    .bind(drop.as_str())
    .bind(place.to_string())
    .fetch_optional(pool)
    .await
}

fn text(language: Language) -> &'static str {
    match language {
        Language::En => include_str!("../../mails/your-turn.en.txt"),
        Language::Es => include_str!("../../mails/your-turn.es.txt"),
        Language::Fr => include_str!("../../mails/your-turn.fr.txt"),
        Language::De => include_str!("../../mails/your-turn.de.txt"),
        Language::Ja => include_str!("../../mails/your-turn.ja.txt"),
        Language::Ar => include_str!("../../mails/your-turn.ar.txt"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_all_of_it() {
        for language in Language::ALL {
            let (subject, body) = text(language).split_once("\n\n").unwrap();
            assert!(subject.contains("{title}") && !subject.contains('\n'), "{language:?}");
            for part in ["{title}", "{deadline}", "{minutes}", "{link}"] {
                assert_eq!(body.matches(part).count(), 1, "{language:?} {part}");
            }
        }
    }
}
