//! "It is your turn": the one mail a fan in a line asked for. Its text stands in `mails/`, the subject first.
//!
//! The line is asked right before the mail leaves: a pause moves deadlines on, and whoever has come by then needs none.

use admission::{
    ids::{DropId, Place},
    line::Fate,
    mails::{Language, Wish},
};
use anyhow::Context as _;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use lettre::Message;
use lettre::message::{Mailbox, SinglePart};
use sqlx::{FromRow, PgExecutor, PgPool};

use crate::app::App;

/// Turns handed over in one statement; the rest waits for the next second.
const QUEUED_MAX: i64 = 5_000;

/// A place whose turn it is, with the address to write to.
pub(super) struct Letter {
    row: Row,
    wish: Wish,
    /// Until when the turn can be taken, if nothing stops the line in between: then it is later.
    deadline: Timestamp,
    now: Timestamp,
}

/// Who was called and is not written to yet.
struct Row {
    drop: DropId,
    place: Place,
    about: About,
}

#[derive(FromRow)]
struct About {
    sealed: Vec<u8>,
    called_at: i64,
    title: String,
    has_ended: bool,
}

impl Letter {
    /// `None` when there is nobody to write to any more: the mail is sent, or the turn is taken or over.
    pub(super) async fn load(app: &App, drop_id: &str, place: &str) -> anyhow::Result<Option<Self>> {
        let drop = DropId::parse(drop_id).context("the drop's id")?;
        let place = Place::parse(place).context("the place")?;
        let Some(about) = about(&app.pool, &drop, place).await? else { return Ok(None) };
        let row = Row { drop, place, about };
        // its line may never come back, and has no turns to take
        if row.about.has_ended {
            row.forget(&app.pool).await?;
            return Ok(None);
        }
        let (state, asked) = app.line.mails(&row.drop, &[place]).await?;
        let fate = asked.first().context("the line says nothing of the place")?.fate;
        let deadline = match fate {
            Fate::Called { deadline, .. } if !state.ended && deadline > state.now => deadline,
            // within the grace time the turn can still be taken
            Fate::Called { deadline, .. } if !state.ended => deadline.saturating_add(state.grace_s * 1_000_000),
            Fate::Called { .. } | Fate::Over => {
                row.forget(&app.pool).await?;
                return Ok(None);
            }
            // the call was lost with Redis: the place will be called again
            Fate::Waits | Fate::Lost => {
                row.wait_again(app).await?;
                return Ok(None);
            }
        };
        let wish = Wish::open(&app.vault, &row.drop, place, &row.about.sealed).context("the fan's address")?;
        Ok(Some(Letter { row, wish, deadline: at(deadline)?, now: at(state.now)? }))
    }

    pub(super) fn message(&self, from: &Mailbox, public_url: &str) -> anyhow::Result<Message> {
        // the error would quote the address: leave it out
        let address = self.wish.email.parse().ok().context("the fan's address is malformed")?;
        let Row { drop, place, about } = &self.row;
        let title = if about.title.is_empty() { drop.readable() } else { about.title.clone() };
        let (subject, body) = text(self.wish.lang).split_once("\n\n").context("a mail without a subject")?;
        let fill = |template| {
            fill(template, |name| match name {
                // on one line, as a subject must be
                "title" => Some(title.split_whitespace().collect::<Vec<_>>().join(" ")),
                "deadline" => Some(self.deadline.strftime("%Y-%m-%d %H:%M").to_string()),
                "minutes" => Some((self.deadline.duration_since(self.now).as_secs() / 60).max(1).to_string()),
                "link" => Some(format!("{public_url}/queue/{drop}")),
                _ => None,
            })
        };
        let domain = from.email.domain();
        Ok(Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, address))
            .subject(fill(subject))
            // the same letter sent twice has the same id, so that a mailbox may show it once
            .message_id(Some(format!("<turn.{}.{}@{domain}>", place.jti(drop), about.called_at)))
            .singlepart(SinglePart::plain(fill(body)))?)
    }

    pub(super) async fn forget(&self, db: impl PgExecutor<'_>) -> sqlx::Result<()> {
        self.row.forget(db).await
    }
}

impl Row {
    /// The address is not needed any more.
    async fn forget(&self, db: impl PgExecutor<'_>) -> sqlx::Result<()> {
        sqlx::query("UPDATE turn_mails SET sealed = NULL WHERE drop_id = $1 AND place = $2 AND called_at = $3")
            .bind(self.drop.as_str())
            .bind(self.place.to_string())
            .bind(self.about.called_at)
            .execute(db)
            .await?;
        Ok(())
    }

    /// The wish stands as before the call: in Postgres first, which outlives Redis.
    async fn wait_again(&self, app: &App) -> anyhow::Result<()> {
        sqlx::query(
            "UPDATE turn_mails SET deadline = NULL, queued_at = NULL WHERE drop_id = $1 AND place = $2 AND called_at = $3",
        )
        .bind(self.drop.as_str())
        .bind(self.place.to_string())
        .bind(self.about.called_at)
        .execute(&app.pool)
        .await?;
        Ok(app.line.restore_mails(&self.drop, &[(self.place, self.about.sealed.clone())]).await?)
    }
}

/// `micros` since 1970, on Redis's clock.
fn at(micros: u64) -> anyhow::Result<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(micros)?).context("a moment outside of time")
}

/// Puts what `value` says in the place of each `{name}`, in one pass: braces in a value are the value's.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}').and_then(|(name, after)| Some((value(name)?, after))) {
            Some((value, after)) => {
                filled.push_str(&value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled + rest
}

/// Hands those whose turn has come over to the outbox; how many.
pub async fn queue(pool: &PgPool, now: Timestamp) -> sqlx::Result<u64> {
    let queued = sqlx::query(
        "WITH due AS (
             UPDATE turn_mails SET queued_at = $1 WHERE (drop_id, place) IN (
                 SELECT drop_id, place FROM turn_mails
                 WHERE sealed IS NOT NULL AND deadline IS NOT NULL AND queued_at IS NULL
                 ORDER BY deadline LIMIT $2 FOR UPDATE SKIP LOCKED)
             RETURNING drop_id, place)
         INSERT INTO outbox (kind, body, run_at, created_at)
         SELECT 'turn-mail', jsonb_build_object('drop_id', drop_id, 'place', place), $1, $1 FROM due",
    )
    .bind(now.to_sqlx())
    .bind(QUEUED_MAX)
    .execute(pool)
    .await?;
    Ok(queued.rows_affected())
}

async fn about(pool: &PgPool, drop: &DropId, place: Place) -> sqlx::Result<Option<About>> {
    sqlx::query_as(
        "SELECT sealed, called_at, title, state = 'ended' AS has_ended FROM turn_mails JOIN drops USING (drop_id)
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
    fn a_title_fills_no_braces_but_its_own() {
        let value = |name: &str| match name {
            "title" => Some("Late {link} {title} {".to_owned()),
            "link" => Some("here".to_owned()),
            _ => None,
        };
        assert_eq!(fill("{title}: {link} {other} {", value), "Late {link} {title} {: here {other} {");
    }

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
