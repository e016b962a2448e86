//! `onsale drop …`: create and steer on-sales, as the operators' API does, and on the same record.

mod brand;

use admission::drops::{self, Changes, DrawSource, DropError, JoinRequires, NewDrop, Settings};
use admission::ids::DropId;
use admission::line::Line;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use shared::clock::Clock;
use uuid::Uuid;

use self::brand::Worn;
use super::Globals;
use super::tool::Target;
use crate::failure::Failure;
use crate::output;

/// Who the audit says it was.
const ACTOR: &str = "cli";

#[derive(Debug, Subcommand)]
pub(crate) enum Drop {
    /// Announce an on-sale of one or more events
    Create(Create),
    /// Open it now
    Open {
        #[arg(value_parser = slug)]
        id: DropId,
    },
    /// Let nobody in for the time being; nobody's deadline runs meanwhile
    Pause {
        #[arg(value_parser = slug)]
        id: DropId,
        /// Shown to the fans
        #[arg(long, default_value = "The sale is paused for a moment")]
        reason: String,
    },
    /// Go on after a pause
    Resume {
        #[arg(value_parser = slug)]
        id: DropId,
    },
    /// Close it for good
    End {
        #[arg(value_parser = slug)]
        id: DropId,
    },
    /// Change its settings; the line obeys within a second
    Set(Set),
    /// All drops
    List,
    /// One drop
    Show {
        #[arg(value_parser = slug)]
        id: DropId,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// A slug: lower-case letters, digits and hyphens
    #[arg(value_parser = slug)]
    id: DropId,
    /// The events on sale; may be repeated
    #[arg(long = "event", value_name = "EVENT_ID", required = true)]
    events: Vec<Uuid>,
    /// Fans let in a minute
    #[arg(long, value_name = "N")]
    rate_per_minute: i32,
    #[command(flatten)]
    tuning: Tuning,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    #[arg(value_parser = slug)]
    id: DropId,
    /// Fans let in a minute
    #[arg(long, value_name = "N")]
    rate_per_minute: Option<i32>,
    #[command(flatten)]
    tuning: Tuning,
}

#[derive(Debug, Args)]
struct Tuning {
    /// What fans read it called; without it, the name of its first event
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Fans inside at the same time, at most
    #[arg(long, value_name = "N")]
    max_active: Option<i32>,
    /// How long a called fan may take to claim
    #[arg(long, value_name = "SECONDS")]
    claim_window_s: Option<i32>,
    /// How long after that a fan may still come back
    #[arg(long, value_name = "SECONDS")]
    grace_s: Option<i32>,
    /// How long an admitted fan may shop
    #[arg(long, value_name = "SECONDS")]
    session_s: Option<i32>,
    /// Tickets an account may hold or own
    #[arg(long, value_name = "N")]
    max_per_fan: Option<i32>,
    /// When the doors open, RFC 3339; until then fans gather in the lobby
    #[arg(long, value_name = "TIME")]
    opens_at: Option<Timestamp>,
    /// none, or account: fans must be signed in to join
    #[arg(long, value_name = "WHAT", value_parser = join_requires)]
    join_requires: Option<JoinRequires>,
    /// Where the chance of the draw comes from: commit (a secret shown as a hash beforehand), or beacon (a
    /// round of drand; the list closes 40 seconds before the opening)
    #[arg(long = "draw", value_name = "SOURCE", value_parser = draw_source)]
    draw_source: Option<DrawSource>,
    #[command(flatten)]
    worn: Worn,
}

impl Tuning {
    fn changes(self) -> Changes {
        Changes {
            title: self.title,
            max_active: self.max_active,
            claim_window_s: self.claim_window_s,
            grace_s: self.grace_s,
            session_s: self.session_s,
            max_per_fan: self.max_per_fan,
            opens_at: self.opens_at.map(Some),
            join_requires: self.join_requires,
            draw_source: self.draw_source,
            brand: self.worn.changes(),
            ..Changes::default()
        }
    }
}

pub(crate) async fn run(drop: Drop, globals: &Globals) -> Result<(), Failure> {
    let target = Target::database_and_redis(globals)?;
    let pool = target.pool().await?;
    if let Drop::List = drop {
        let all = drops::list(&pool).await.map_err(failure)?;
        return output::say(globals.json, &json!({ "items": all }), || listing(&all));
    }
    if let Drop::Show { id } = &drop {
        return say(globals.json, &drops::show(&pool, id).await.map_err(failure)?);
    }
    let line = Line::new(target.redis().await?);
    let changed = match drop {
        Drop::Create(create) => {
            let logo = create.tuning.worn.logo()?;
            let settings = create.tuning.changes().apply(&Settings::at_rate(create.rate_per_minute));
            let new = NewDrop { id: create.id, events: create.events, settings };
            let made = drops::create(&pool, &line, &new, ACTOR).await.map_err(failure)?;
            match logo.flatten() {
                Some(logo) => drops::change_logo(&pool, &line, &new.id, Some(&logo), ACTOR).await,
                None => Ok(made),
            }
        }
        Drop::Set(set) => {
            let logo = set.tuning.worn.logo()?;
            let changes = Changes { rate_per_minute: set.rate_per_minute, ..set.tuning.changes() };
            let only_logo = logo.is_some() && json!(changes) == json!({});
            if let Some(logo) = logo {
                let worn = drops::change_logo(&pool, &line, &set.id, logo.as_ref(), ACTOR).await.map_err(failure)?;
                if only_logo {
                    return say(globals.json, &worn);
                }
            }
            drops::change(&pool, &line, &set.id, &changes, Clock::system().now(), ACTOR).await
        }
        Drop::Open { id } => drops::open(&pool, &line, &id, Clock::system().now(), ACTOR).await,
        Drop::Pause { id, reason } => drops::pause(&pool, &line, &id, &reason, ACTOR).await,
        Drop::Resume { id } => drops::resume(&pool, &line, &id, ACTOR).await,
        Drop::End { id } => drops::end(&pool, &line, &id, ACTOR).await,
        Drop::List | Drop::Show { .. } => return Ok(()), // answered above
    };
    say(globals.json, &changed.map_err(failure)?)
}

fn say(as_json: bool, drop: &drops::Drop) -> Result<(), Failure> {
    output::say(as_json, drop, || listing(std::slice::from_ref(drop)))
}

fn listing(all: &[drops::Drop]) -> String {
    let rows = all.iter().map(|drop| {
        vec![
            drop.id.to_string(),
            format!("{:?}", drop.state).to_lowercase(),
            drop.settings.rate_per_minute.to_string(),
            drop.settings.max_active.to_string(),
            drop.settings.opens_at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
            drop.events.iter().map(Uuid::to_string).collect::<Vec<_>>().join(" "),
        ]
    });
    output::table(&["DROP", "STATE", "RATE/MIN", "MAX ACTIVE", "OPENS AT", "EVENTS"], rows)
}

fn failure(error: DropError) -> Failure {
    let slug = match error {
        DropError::NotFound => "drop",
        DropError::UnknownEvent => "event",
        DropError::Database(_) | DropError::Line(_) => return Failure::from(error),
        _ => "drop-refused",
    };
    Failure::refused(slug, "The drop was refused", error.to_string())
}

fn slug(text: &str) -> Result<DropId, String> {
    DropId::parse(text).ok_or_else(|| "a drop's id has 1 to 63 lower-case letters, digits and hyphens".to_owned())
}

fn draw_source(text: &str) -> Result<DrawSource, String> {
    DrawSource::parse(text).ok_or_else(|| "expected commit or beacon".to_owned())
}

fn join_requires(text: &str) -> Result<JoinRequires, String> {
    JoinRequires::parse(text).ok_or_else(|| "expected none or account".to_owned())
}
