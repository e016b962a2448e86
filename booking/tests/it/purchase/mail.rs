//! Tickets leave by mail, after the money was taken and not before.

use std::sync::{Arc, Mutex};

use admission::{
    ids::{DropId, Place},
    line::{EndReason, Fate, Held, Kept, Newcomer},
    mails::{Language, Mails, Wish},
};
use booking::purchase::outbox::Job;
use redis::AsyncCommands as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

type Inbox = Arc<Mutex<Vec<String>>>;

#[tokio::test]
async fn tickets_are_mailed_after_the_capture() {
    let (port, inbox) = mail_server(b"250 ok\r\n").await;
    let mut settings = deaf();
    settings["smtp_url"] = json!(format!("smtp://127.0.0.1:{port}"));
    let fixture = still_with(settings).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = admitted(&fixture, &sale, fixture.fan().await);
    let booking = booked(&fixture, &buyer, &sale, &["A-1", "A-2"]).await;
    authorise_in_browser(&fixture, &booking, "pm_card_visa").await;
    booking::purchase::settle::settle(&fixture.app, booking.booking_id()).await.unwrap();
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'ticket-mail'").await, 0);

    drain_outbox(&fixture).await;
    let mails = inbox.lock().unwrap().clone();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert!(mail.contains(&format!("<{}>", buyer.fan.email)) || mail.contains(&buyer.fan.email), "{mail}");
    assert!(mail.contains("Subject: Your tickets: An Evening"), "{mail}");
    assert!(mail.contains("ONSALE1."), "signed text");
    assert_eq!(mail.matches("image/svg+xml").count(), 2, "a QR code each");
}

#[tokio::test]
async fn who_paid_too_late_is_told_that_the_money_went_back() {
    let (port, inbox) = mail_server(b"250 ok\r\n").await;
    let mut settings = deaf();
    settings["smtp_url"] = json!(format!("smtp://127.0.0.1:{port}"));
    let fixture = still_with(settings).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = admitted(&fixture, &sale, fixture.fan().await);
    let booking_id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    let job = Job::LateMail { booking_id };
    outbox::enqueue(&fixture.world.pool, &job, fixture.clock.now()).await.unwrap();
    drain_outbox(&fixture).await;
    let mails = inbox.lock().unwrap().clone();
    assert_eq!(mails.len(), 1);
    let mail = mails[0].replace("=\n", "");
    assert!(mail.contains("Subject: No tickets, and your money back: An Evening"), "{mail}");
    assert!(mail.contains("We have given it back: 1000 USD"), "{mail}");

    // another payment has got the tickets meanwhile
    sqlx::query("UPDATE bookings SET status = 'completed', phase = 'closed', completed_at = now()")
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    outbox::enqueue(&fixture.world.pool, &job, fixture.clock.now()).await.unwrap();
    drain_outbox(&fixture).await;
    assert_eq!(inbox.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_mail_servers_reply_is_kept_by_its_code_alone() {
    let (port, _) = mail_server(b"550 5.1.1 <fan@fans.test> is unknown here\r\n").await;
    let mut settings = deaf();
    settings["smtp_url"] = json!(format!("smtp://127.0.0.1:{port}"));
    let fixture = still_with(settings).await;
    let sale = fixture.on_sale(1, 4).await;
    let buyer = admitted(&fixture, &sale, fixture.fan().await);
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    drain_outbox(&fixture).await;
    let error: String = sqlx::query_scalar("SELECT last_error FROM outbox WHERE kind = 'ticket-mail'")
        .fetch_one(&fixture.world.pool)
        .await
        .unwrap();
    assert_eq!(error, "smtp 550");
}

/// A fan in the line of a drop who asked to be told.
async fn waiting_fan(fixture: &Fixture, drop: &DropId, email: &str, lang: &str) -> Place {
    let place = Place::from_bytes(shared::encoding::random());
    let who = Newcomer { place, visitor_hash: [0; 32], receipt: None, account: None };
    fixture.app.line.join(drop, &[who]).await.unwrap();
    let held = Held { place, generation: 0, mail: false };
    let wish = Wish::new(email, Language::of(lang)).unwrap();
    let sealed = wish.seal(&fixture.app.vault, drop, place);
    assert_eq!(fixture.app.line.ask_mail(drop, &held, Some(&sealed)).await.unwrap().1, Kept::Kept);
    place
}

#[tokio::test]
async fn who_asked_is_told_once_when_it_is_their_turn_and_the_address_is_gone() {
    let (port, inbox) = mail_server(b"250 ok\r\n").await;
    let mut settings = deaf();
    settings["smtp_url"] = json!(format!("smtp://127.0.0.1:{port}"));
    let fixture = still_with(settings).await;
    let drop = fixture.on_sale(1, 4).await.drop;
    let (line, pool) = (&fixture.app.line, &fixture.world.pool);
    waiting_fan(&fixture, &drop, "ada@fans.example", "en").await;
    waiting_fan(&fixture, &drop, "bea@fans.example", "fr").await;
    let mut mails = Mails::new(pool.clone());
    let tell = async |mails: &mut Mails| {
        mails.follow(line, &drop).await.unwrap();
        booking::notify::turn::queue(pool, fixture.app.clock.now()).await.unwrap();
        drain_outbox(&fixture).await;
    };
    tell(&mut mails).await;
    assert!(inbox.lock().unwrap().is_empty(), "nobody is called yet");

    line.release(&drop, admission::pace::level(6_000, 0)).await.unwrap();
    tell(&mut mails).await;
    tell(&mut mails).await;
    tell(&mut Mails::new(pool.clone())).await; // another process, which knows nothing
    let mut sent = inbox.lock().unwrap().clone();
    sent.sort_by_key(|mail| mail.contains("bea@fans.example"));
    assert_eq!(sent.len(), 2, "one each: {sent:?}");
    let english = sent[0].replace("=\n", "");
    assert!(english.contains("ada@fans.example") && english.contains("Subject: It is your turn:"), "{english}");
    assert!(english.contains(&format!("/queue/{drop}")) && english.contains(" UTC ("), "{english}");
    assert!(english.contains("You get this one mail because you asked for it"), "{english}");
    assert!(sent[1].contains("C=E2=80=99est votre tour"), "{}", sent[1]);
    assert_eq!(count(&fixture, "SELECT count(*) FROM turn_mails WHERE sealed IS NOT NULL").await, 0);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE body::text LIKE '%fans.example%'").await, 0);
}

#[tokio::test]
async fn a_turn_that_is_over_is_not_told_and_its_address_is_gone() {
    let (port, inbox) = mail_server(b"250 ok\r\n").await;
    let mut settings = deaf();
    settings["smtp_url"] = json!(format!("smtp://127.0.0.1:{port}"));
    let fixture = still_with(settings).await;
    let drop = fixture.on_sale(1, 4).await.drop;
    let ada = waiting_fan(&fixture, &drop, "ada@fans.example", "en").await;
    let bea = waiting_fan(&fixture, &drop, "bea@fans.example", "en").await;
    let (line, pool) = (&fixture.app.line, &fixture.world.pool);
    line.release(&drop, admission::pace::level(6_000, 0)).await.unwrap();
    Mails::new(pool.clone()).follow(line, &drop).await.unwrap();
    // before the mail server is back, one left and the other came by herself
    line.end_place(&drop, ada, EndReason::Left).await.unwrap();
    line.claim(&drop, bea).await.unwrap();
    booking::notify::turn::queue(pool, fixture.clock.now()).await.unwrap();
    drain_outbox(&fixture).await;
    assert!(inbox.lock().unwrap().is_empty());
    assert_eq!(count(&fixture, "SELECT count(*) FROM turn_mails WHERE sealed IS NOT NULL").await, 0);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE kind = 'turn-mail' AND done_at IS NULL").await, 0);
}

#[tokio::test]
async fn the_deadline_in_the_mail_is_the_lines_own_when_it_leaves() {
    let (port, inbox) = mail_server(b"250 ok\r\n").await;
    let mut settings = deaf();
    settings["smtp_url"] = json!(format!("smtp://127.0.0.1:{port}"));
    let fixture = still_with(settings).await;
    let drop = fixture.on_sale(1, 4).await.drop;
    let (line, pool) = (&fixture.app.line, &fixture.world.pool);
    let ada = waiting_fan(&fixture, &drop, "ada@fans.example", "en").await;
    line.release(&drop, admission::pace::level(6_000, 0)).await.unwrap();
    Mails::new(pool.clone()).follow(line, &drop).await.unwrap();
    // the drop stood still for two hours, in which no mail left either
    let control = format!("{}:{{{drop}}}:control", fixture.world.redis.prefix());
    let _: i64 = fixture.world.redis.clone().hincr(control, "paused_us", 7_200_000_000_i64).await.unwrap();
    fixture.clock.advance(Duration::from_secs(7_200));
    booking::notify::turn::queue(pool, fixture.clock.now()).await.unwrap();
    drain_outbox(&fixture).await;
    let (_, asked) = line.mails(&drop, &[ada]).await.unwrap();
    let Fate::Called { deadline, .. } = asked[0].fate else { panic!("{asked:?}") };
    let deadline = jiff::Timestamp::from_microsecond(i64::try_from(deadline).unwrap()).unwrap();
    let sent = inbox.lock().unwrap().clone();
    assert_eq!(sent.len(), 1, "the turn lives");
    let told = format!("Take it by {} UTC (", deadline.strftime("%Y-%m-%d %H:%M"));
    assert!(sent[0].replace("=\n", "").contains(&told), "{told}: {}", sent[0]);
}

#[tokio::test]
async fn a_call_that_redis_forgot_is_not_told_and_the_wish_stands_again() {
    let (port, inbox) = mail_server(b"250 ok\r\n").await;
    let mut settings = deaf();
    settings["smtp_url"] = json!(format!("smtp://127.0.0.1:{port}"));
    let fixture = still_with(settings).await;
    let drop = fixture.on_sale(1, 4).await.drop;
    let (line, pool) = (&fixture.app.line, &fixture.world.pool);
    let ada = waiting_fan(&fixture, &drop, "ada@fans.example", "en").await;
    let mut mails = Mails::new(pool.clone());
    let key = |part: &str| format!("{}:{{{drop}}}:{part}", fixture.world.redis.prefix());
    let mut redis = fixture.world.redis.clone();
    for turn in [false, true] {
        line.release(&drop, admission::pace::level(6_000, 0)).await.unwrap();
        mails.follow(line, &drop).await.unwrap();
        booking::notify::turn::queue(pool, fixture.clock.now()).await.unwrap();
        if !turn {
            let _: i64 = redis.zrem(key("called"), ada.to_string()).await.unwrap();
            let _: i64 = redis.zadd(key("waiting"), ada.to_string(), 1_u64).await.unwrap();
        }
        drain_outbox(&fixture).await;
        assert_eq!(inbox.lock().unwrap().len(), usize::from(turn));
    }
}

#[tokio::test]
async fn a_mail_server_that_hangs_holds_up_no_slot() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = deaf();
    settings["smtp_url"] = json!(format!("smtp://{}", silent.local_addr().unwrap()));
    let fixture = still_with(settings).await;
    let drop = fixture.on_sale(1, 4).await.drop;
    let (line, pool) = (&fixture.app.line, &fixture.world.pool);
    for n in 0..8 {
        waiting_fan(&fixture, &drop, &format!("fan{n}@fans.example"), "en").await;
    }
    line.release(&drop, admission::pace::level(60_000, 0)).await.unwrap();
    Mails::new(pool.clone()).follow(line, &drop).await.unwrap();
    assert_eq!(booking::notify::turn::queue(pool, fixture.clock.now()).await.unwrap(), 8);
    let bought = Place::from_bytes(encoding::random());
    let job = Job::EndPlace { drop_id: drop.to_string(), place: bought.to_string() };
    outbox::enqueue(pool, &job, fixture.clock.now()).await.unwrap();
    let done = tokio::time::timeout(Duration::from_secs(10), outbox::do_once(&fixture.app, Queue::Deeds)).await;
    assert_eq!(done.expect("no mail is waited for").unwrap(), 1);
    assert_eq!(count(&fixture, "SELECT count(*) FROM outbox WHERE done_at IS NULL AND kind = 'end-place'").await, 0);
}

#[tokio::test]
async fn turns_written_for_are_forgotten_however_many_they_are() {
    let fixture = still_with(deaf()).await;
    let drop = fixture.on_sale(1, 4).await.drop;
    sqlx::query(
        "INSERT INTO turn_mails (drop_id, place, deadline, queued_at)
         SELECT $1, n::text, now(), now() - interval '40 days' FROM generate_series(1, 50001) n",
    )
    .bind(drop.as_str())
    .execute(&fixture.world.pool)
    .await
    .unwrap();
    booking::purchase::purge::do_once(&fixture.app).await.unwrap();
    assert_eq!(count(&fixture, "SELECT count(*) FROM turn_mails").await, 0);
}

/// Keeps what it is sent, if it accepts the recipient.
async fn mail_server(recipient: &'static [u8]) -> (u16, Inbox) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let inbox = Inbox::default();
    let keep = Arc::clone(&inbox);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(receive(stream, Arc::clone(&keep), recipient));
        }
    });
    (port, inbox)
}

async fn receive(stream: TcpStream, inbox: Inbox, recipient: &[u8]) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 sink ESMTP\r\n").await?;
    let mut letter: Option<String> = None;
    while let Some(line) = lines.next_line().await? {
        if let Some(text) = &mut letter {
            if line == "." {
                inbox.lock().expect("the inbox").push(letter.take().unwrap_or_default());
                write.write_all(b"250 kept\r\n").await?;
            } else {
                text.push_str(&line);
                text.push('\n');
            }
            continue;
        }
        let answer: &[u8] = match line.get(..4).unwrap_or("").to_ascii_uppercase().as_str() {
            "EHLO" => b"250-sink\r\n250 8BITMIME\r\n",
            "DATA" => {
                letter = Some(String::new());
                b"354 go\r\n"
            }
            "RCPT" => recipient,
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        write.write_all(answer).await?;
    }
    Ok(())
}
