//! `onsale draw verify`: checks a draw from what everybody can read, with no store and no secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use admission::draw::{Outcome, Proof, Verdict, order_file, verify};
use admission::ids::{OrderKey, Place};
use admission::pass::named_place;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use reqwest::{Client, Url};
use serde::Serialize;
use shared::encoding::{base64url, from_base64url};

use super::Globals;
use crate::failure::Failure;
use crate::output;

/// For the whole of one download.
const DOWNLOAD_MAX: Duration = Duration::from_secs(120);
/// Bytes of a proof without its list.
const PROOF_MAX: usize = 256 * 1_024;
/// Bytes of a list: four million places.
const LIST_MAX: usize = 64 << 20;
/// Places shown of the order.
const FIRST: usize = 10;

#[derive(Debug, Subcommand)]
pub(crate) enum Draw {
    /// Check a draw: its list, its seed, and every place's key
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Where the proof is: https://…/queue/DROP/draw, or a file that --save wrote
    #[arg(value_name = "URL|FILE")]
    source: String,
    /// Write the proof with its list to a file, to be checked later or elsewhere
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Write the whole order to a file: number, place, key, a line each
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    /// Say which number this place has
    #[arg(long, value_parser = place)]
    place: Option<Place>,
    /// The same, for the place that this pass is of
    #[arg(long, value_name = "PASS", value_parser = pass, conflicts_with = "place")]
    pass: Option<Place>,
}

/// What is said of a draw.
#[derive(Serialize)]
struct Report<'a> {
    good: bool,
    #[serde(flatten)]
    proof: Summary<'a>,
    checks: &'a [admission::draw::Check],
    /// The first of the order.
    first: Vec<Numbered>,
    /// The place that was asked for.
    place: Option<Numbered>,
}

#[derive(Serialize)]
struct Summary<'a> {
    drop: &'a str,
    state: admission::draw::Stage,
    entrants: Option<u64>,
}

#[derive(Serialize)]
struct Numbered {
    number: usize,
    place: Place,
    key: OrderKey,
}

pub(crate) async fn run(draw: Draw, globals: &Globals) -> Result<(), Failure> {
    let Draw::Verify(asked) = draw;
    let trusted = globals.sources().load()?.admission.draw.chain;
    let (mut proof, list) = match Url::parse(&asked.source) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => download(&url).await?,
        _ => read(Path::new(&asked.source))?,
    };
    let verdict = verify(&proof, list.as_deref(), &trusted);
    let order = verdict.order.as_deref();
    if let Some(file) = &asked.order {
        let order =
            order.ok_or_else(|| refusal("There is no order yet", "the seed is not known, or a check failed"))?;
        std::fs::write(file, order_file(order)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let mine = match asked.place.or(asked.pass) {
        None => None,
        Some(place) => Some(number_of(place, order)?),
    };
    let report = Report {
        good: verdict.is_good(),
        proof: Summary {
            drop: proof.drop.as_str(),
            state: proof.state,
            entrants: proof.entrants.as_ref().map(|entrants| entrants.count),
        },
        checks: &verdict.checks,
        first: order.unwrap_or_default().iter().take(FIRST).enumerate().map(numbered).collect(),
        place: mine,
    };
    output::say(globals.json, &report, || words(&report))?;
    if let Some(file) = &asked.save {
        save(&mut proof, list.as_deref(), file)?;
    }
    said(&verdict)
}

fn words(report: &Report<'_>) -> String {
    let rows = report.checks.iter().map(|check| {
        let outcome = match check.outcome {
            Outcome::Good => "good",
            Outcome::Bad => "BAD",
            Outcome::Open => "open",
        };
        vec![outcome.to_owned(), check.name.to_owned(), check.found.clone()]
    });
    let mut text = output::table(&["", "CHECK", "FOUND"], rows);
    let mut list = |title: &str, numbered: &[Numbered]| {
        let rows =
            numbered.iter().map(|one| vec![one.number.to_string(), one.place.to_string(), one.key.0.to_string()]);
        if !numbered.is_empty() {
            text.push_str(&format!("\n\n{title}\n{}", output::table(&["NUMBER", "PLACE", "KEY"], rows)));
        }
    };
    list("The first of the order:", &report.first);
    if let Some(mine) = &report.place {
        list(&format!("Your place, of {}:", report.proof.entrants.unwrap_or(0)), std::slice::from_ref(mine));
    }
    text
}

/// A failed check is a failed command.
fn said(verdict: &Verdict) -> Result<(), Failure> {
    let bad: Vec<_> = verdict.checks.iter().filter(|check| check.outcome == Outcome::Bad).collect();
    match bad.first() {
        None => Ok(()),
        Some(first) => Err(refusal("The draw does not hold", &format!("{}: {}", first.name, first.found))),
    }
}

fn refusal(title: &'static str, detail: &str) -> Failure {
    Failure::refused("draw", title, detail.to_owned())
}

fn numbered((index, (place, key)): (usize, &(Place, OrderKey))) -> Numbered {
    Numbered { number: index + 1, place: *place, key: *key }
}

fn number_of(place: Place, order: Option<&[(Place, OrderKey)]>) -> Result<Numbered, Failure> {
    let order = order.ok_or_else(|| refusal("There is no order yet", "the seed is not known, or a check failed"))?;
    let found = order.iter().enumerate().find(|(_, (other, _))| *other == place);
    found.map(numbered).ok_or_else(|| refusal("The place was not drawn", "it is not on the frozen list"))
}

async fn download(url: &Url) -> anyhow::Result<(Proof, Option<Vec<u8>>)> {
    let mut http = Client::builder().timeout(DOWNLOAD_MAX);
    if url.scheme() == "http" {
        // a neighbour: no reason to fail on a machine without certificates
        http = http.no_proxy().tls_certs_only([]);
    }
    let http = http.build().context("a client for the download")?;
    let proof: Proof = serde_json::from_slice(&get(&http, url.clone(), PROOF_MAX).await?)
        .with_context(|| format!("{url} is no proof of a draw"))?;
    let list = match &proof.entrants {
        Some(entrants) => Some(get(&http, url.join(&entrants.list).context("where the list is")?, LIST_MAX).await?),
        None => None,
    };
    Ok((proof, list))
}

async fn get(http: &Client, url: Url, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut response = http.get(url.clone()).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > bytes_max {
            bail!("{url} is longer than {bytes_max} bytes");
        }
    }
    Ok(body)
}

fn read(file: &Path) -> anyhow::Result<(Proof, Option<Vec<u8>>)> {
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let proof: Proof =
        serde_json::from_slice(&text).with_context(|| format!("{} is no proof of a draw", file.display()))?;
    let places = proof.entrants.as_ref().and_then(|entrants| entrants.places.as_deref());
    let list = places.map(|text| from_base64url(text).context("the list is no base64url")).transpose()?;
    Ok((proof, list))
}

fn save(proof: &mut Proof, list: Option<&[u8]>, file: &Path) -> anyhow::Result<()> {
    if let Some(entrants) = &mut proof.entrants {
        entrants.places = list.map(base64url);
    }
    std::fs::write(file, serde_json::to_vec(proof)?).with_context(|| format!("cannot write {}", file.display()))
}

fn pass(text: &str) -> Result<Place, String> {
    named_place(text).ok_or_else(|| "this is no pass".to_owned())
}

fn place(text: &str) -> Result<Place, String> {
    Place::parse(text).ok_or_else(|| "a place is the base64url of 16 bytes".to_owned())
}
