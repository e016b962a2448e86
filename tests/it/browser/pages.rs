//! Every page and every state of it, looked at.

use std::path::PathBuf;

use super::axe::Axe;
use super::driver::Driver;
use super::look::Look;
use super::sale::Sale;
use super::screen::PHONE;
use super::walk::Walk;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_light_and_shuts_nobody_out() {
    let test = "every_page_is_light_and_shuts_nobody_out";
    let Some(driver) = Driver::start(test).await else { return };
    let mut look = Look::new(Axe::load(test), None);
    Walk::start(&driver).await.past_every_page(&mut look).await;
    println!("{}", look.table());
    look.assert_well();
}

/// What is wrong with a page that these tests must notice.
const FAULTS: &str = "
    const image = document.createElement('img');
    image.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw=';
    const pale = document.createElement('p');
    pale.textContent = 'Pale words';
    Object.assign(pale.style, { color: '#999', background: '#aaa', height: '100px' });
    document.querySelector('main').prepend(pale, image);
    console.error('something broke');";

/// Apart from the others: a page that becomes wider than its window counts as one whose window changed.
const TOO_WIDE: &str = "
    const wide = document.createElement('div');
    Object.assign(wide.style, { width: '700px', height: '9px' });
    document.querySelector('main').append(wide);";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_page_is_noticed() {
    let test = "what_is_wrong_with_a_page_is_noticed";
    let Some(driver) = Driver::start(test).await else { return };
    let sale = Sale::start().await;
    let tab = driver.open(&sale.url, PHONE).await;
    tab.goto("/nothing").await;
    tab.becomes("performance.now() > 1000").await; // what moves right after the window changed its size is forgiven
    tab.watch_shifts().await;
    assert!(tab.shifts().await.is_empty(), "nothing moved yet");
    tab.run(FAULTS).await;
    assert!(!tab.shifts().await.is_empty(), "what moved the page was not noticed");
    tab.run(TOO_WIDE).await;
    assert_eq!(tab.sticking_out(PHONE).await.iter().filter(|part| part.contains("<div")).count(), 2);
    let complaints = tab.complaints(&["404"]).await;
    assert!(complaints.iter().any(|line| line.contains("something broke")), "{complaints:?}");
    let Some(axe) = Axe::load(test) else { return };
    let violations = axe.violations(&tab).await;
    let colour = axe.violations_of_colour(&tab).await;
    for (found, rule) in [(&violations, "image-alt"), (&violations, "color-contrast"), (&colour, "color-contrast")] {
        assert!(found.iter().any(|violation| violation.starts_with(rule)), "{rule} not in {found:#?}");
    }
}

/// `make pages`: the same walk with a camera, and the figures that need a quiet machine.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process for scripts/pages.sh: it takes pictures"]
async fn pictures_of_every_page() {
    let test = "pictures_of_every_page";
    let Some(driver) = Driver::start(test).await else { return };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut look = Look::new(Axe::load(test), Some(folder));
    let walk = Walk::start(&driver).await;
    walk.past_every_page(&mut look).await;

    // somebody who comes for the first time, in the tram
    let tab = driver.open(&walk.sale.url, PHONE).await;
    tab.forget_files().await;
    tab.slow_down(true).await;
    tab.goto(&format!("/e/{}", walk.evening)).await;
    let first_paint_ms = tab.first_paint_ms().await;
    tab.slow_down(false).await;
    look.note("event, slow phone and network", tab.weight().await, first_paint_ms, 1_000.0);
    println!("{}", look.table());
    look.assert_well();
}
