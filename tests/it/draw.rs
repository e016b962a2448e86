//! `onsale draw verify` and docs/verify_draw.py on the same draws: one verdict, one order, byte for byte.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use admission::{
    draw::{
        ALGORITHM, BeaconPart, Drawing, Entrants, Moment, Proof, SeedFrom, Stage,
        beacon::{Chain, Round, SCHEME},
        commitment,
        hexed::Hexed,
        list_bytes, order, order_file, seed_of_round,
        tree::Tree,
    },
    drops::DrawSource,
    ids::{DropId, Place, VisitorSecret},
    pass::{Pass, Passes},
};
use axum::{Router, routing::get};
use serde_json::Value;
use shared::{
    encoding::{base64url, sha256},
    testing::{keyring, serve},
};

/// Round 657,413 of drand's quicknet, as its relays have it.
const ROUND: u64 = 657_413;
const SIGNATURE: &str =
    "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b";

fn list(count: u32) -> Tree {
    let mut places: Vec<_> = (0..count)
        .map(|n| {
            let mut half = [0; 16];
            half.copy_from_slice(&sha256(&[&n.to_be_bytes()])[..16]);
            Place::from_bytes(half)
        })
        .collect();
    places.sort();
    Tree::new(places)
}

/// A finished draw around the recorded round; by the secret if there is no beacon.
fn proof(tree: &Tree, source: DrawSource) -> Proof {
    let chain = Chain::default();
    let round_at = chain.time_of(ROUND);
    let drop = DropId::parse("evening").unwrap();
    let round = Round { round: ROUND, signature: Hexed::parse(SIGNATURE).unwrap() };
    let (root, secret) = (tree.root(), [7; 32]);
    let beacon = BeaconPart {
        chain: chain.hash,
        public_key: chain.public_key,
        scheme: SCHEME.to_owned(),
        genesis_s: chain.genesis_s,
        period_s: chain.period_s,
        round: Some(ROUND),
        round_at: Some(Moment(round_at)),
        relays: Vec::new(),
        signature: Some(round.signature),
        randomness: Some(round.randomness().into()),
    };
    let by_beacon = source == DrawSource::Beacon;
    let seed = if by_beacon { seed_of_round(&drop, &root, &round.randomness()) } else { secret };
    Proof {
        drop,
        algorithm: ALGORITHM.to_owned(),
        state: Stage::Drawn,
        source,
        rules: Vec::new(),
        opens_at: Some(Moment(round_at + 2_000_001)),
        lobby_closes_at: by_beacon.then_some(Moment(round_at - 38_000_000)),
        commitment: commitment(&secret).into(),
        entrants: Some(Entrants {
            count: tree.places().len() as u64,
            root: root.into(),
            list: "/queue/evening/draw/entrants".to_owned(),
            places: None,
        }),
        frozen_at: Some(Moment(round_at - 36_500_000)),
        beacon: by_beacon.then_some(beacon),
        seed_from: Some(if by_beacon { SeedFrom::Round } else { SeedFrom::Secret }),
        why: None,
        secret: (!by_beacon).then(|| secret.into()),
        seed: Some(seed.into()),
        drawn: tree.places().len() as u64,
        drawn_at: Some(Moment(round_at + 3_000_000)),
    }
}

fn with_list(mut proof: Proof, tree: &Tree) -> Proof {
    proof.entrants.as_mut().unwrap().places = Some(base64url(&list_bytes(tree.places())));
    proof
}

fn onsale(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_onsale")).args(["draw", "verify"]).args(arguments).output().unwrap()
}

/// The stand-alone verifier; `None` on a machine without Python.
fn python(arguments: &[&str]) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify_draw.py");
    match Command::new("python3").arg(script).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("SKIPPED: the comparison with Python, which is not installed");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn write(dir: &Path, name: &str, proof: &Proof) -> String {
    let file = dir.join(name);
    fs::write(&file, serde_json::to_vec(proof).unwrap()).unwrap();
    file.display().to_string()
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[test]
fn both_verifiers_write_the_same_order_of_a_hundred_thousand() {
    let dir = tempfile::tempdir().unwrap();
    let tree = list(100_000);
    for source in [DrawSource::Commit, DrawSource::Beacon] {
        let proof = with_list(proof(&tree, source), &tree);
        let file = write(dir.path(), "proof.json", &proof);
        let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
        let said = onsale(&[&file, "--order", ours.to_str().unwrap()]);
        assert!(said.status.success(), "{}{}", text(&said.stdout), text(&said.stderr));
        let drawing = Drawing::new(proof.opens_at.unwrap().0, proof.seed.unwrap().bytes());
        let expected = order_file(&order(tree.places(), |place| drawing.key(place)));
        assert!(fs::read(&ours).unwrap() == expected, "the order by {source:?}");
        let Some(said) = python(&[&file, "--order", theirs.to_str().unwrap()]) else { return };
        assert!(said.status.success(), "{}{}", text(&said.stdout), text(&said.stderr));
        assert!(!text(&said.stdout).contains("BAD"), "{}", text(&said.stdout));
        assert!(fs::read(theirs).unwrap() == expected, "Python's order by {source:?}");
    }
}

#[test]
fn both_verifiers_refuse_a_draw_that_was_bent() {
    let dir = tempfile::tempdir().unwrap();
    let tree = list(50);
    type Bend = fn(&mut Proof);
    let bends: [(&str, DrawSource, Bend); 9] = [
        ("root", DrawSource::Commit, |proof| proof.entrants.as_mut().unwrap().root = [1; 32].into()),
        ("list", DrawSource::Commit, |proof| proof.entrants.as_mut().unwrap().count = 49),
        ("commitment", DrawSource::Commit, |proof| proof.commitment = [1; 32].into()),
        ("seed", DrawSource::Commit, |proof| proof.seed = Some([1; 32].into())),
        ("seed", DrawSource::Commit, |proof| proof.secret = None),
        ("beacon", DrawSource::Beacon, |proof| proof.beacon.as_mut().unwrap().genesis_s -= 3),
        ("round", DrawSource::Beacon, |proof| proof.lobby_closes_at = None),
        ("shown beforehand", DrawSource::Beacon, |proof| proof.frozen_at.as_mut().unwrap().0 += 20_000_000),
        ("randomness", DrawSource::Beacon, |proof| proof.beacon.as_mut().unwrap().randomness = Some([1; 32].into())),
    ];
    for (check, source, bend) in bends {
        let mut bent = with_list(proof(&tree, source), &tree);
        bend(&mut bent);
        let file = write(dir.path(), "bent.json", &bent);
        let said = onsale(&["--json", &file]);
        let report: Value = serde_json::from_slice(&said.stdout).unwrap();
        let bad = |report: &Value| {
            report["checks"].as_array().unwrap().iter().any(|one| one["name"] == check && one["outcome"] == "bad")
        };
        assert!(said.status.code() == Some(1) && bad(&report), "{check}: {report}");
        if let Some(said) = python(&[&file]) {
            let words = text(&said.stdout);
            assert!(said.status.code() == Some(1) && words.contains(&format!("BAD   {check}:")), "{check}: {words}");
        }
    }
    // what only the program can see
    let mut forged = with_list(proof(&tree, DrawSource::Beacon), &tree);
    forged.beacon.as_mut().unwrap().signature = Some([0x80; 48].into());
    let said = onsale(&[&write(dir.path(), "forged.json", &forged)]);
    assert_eq!(said.status.code(), Some(1), "{}", text(&said.stdout));
}

#[tokio::test]
async fn a_draw_is_checked_from_its_url_saved_and_asked_for_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let tree = list(300);
    let proof = proof(&tree, DrawSource::Beacon);
    let (place, bytes) = (tree.places()[17], list_bytes(tree.places()));
    let shown = proof.clone();
    let router = Router::new()
        .route("/queue/evening/draw", get(async move || axum::Json(shown)))
        .route("/queue/evening/draw/entrants", get(async move || bytes));
    let url = format!("{}/queue/evening/draw", serve(router).await);
    let saved: PathBuf = dir.path().join("saved.json");
    let file = saved.display().to_string();
    let passes = Passes::new(&keyring());
    let pass = passes.issue(&Pass {
        drop: proof.drop.clone(),
        place,
        key: None,
        epoch: 1,
        generation: 0,
        visitor_hash: VisitorSecret::generate().hash(),
    });
    let ask = |arguments: Vec<String>| {
        tokio::task::spawn_blocking(move || onsale(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    let said =
        ask(vec!["--json".into(), url.clone(), "--pass".into(), pass, "--save".into(), file.clone()]).await.unwrap();
    let report: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert!(said.status.success() && report["good"] == true, "{report} {}", text(&said.stderr));
    let drawing = proof.drawing().unwrap();
    let order = order(tree.places(), |place| drawing.key(place));
    let number = order.iter().position(|(other, _)| *other == place).unwrap() + 1;
    assert_eq!((&report["place"]["number"], &report["entrants"]), (&number.into(), &300.into()));
    assert_eq!(report["first"].as_array().unwrap().len(), 10);

    let said = onsale(&[&file, "--place", &place.to_string()]);
    assert!(said.status.success(), "the saved proof is enough: {}", text(&said.stderr));
    assert!(text(&said.stdout).contains("Your place, of 300:"));
    let nobody = Place::from_bytes([9; 16]).to_string();
    assert_eq!(onsale(&[&file, "--place", &nobody]).status.code(), Some(1));
    assert_eq!(onsale(&["/nowhere/proof.json"]).status.code(), Some(1));
    if let Some(said) =
        tokio::task::spawn_blocking(move || python(&[&url, "--place", &place.to_string()])).await.unwrap()
    {
        assert!(text(&said.stdout).contains(&format!("of 300: {number} {place} ")), "{}", text(&said.stdout));
    }
}
