//! Tickets leave by mail, after the money was taken and not before.

use std::sync::{Arc, Mutex};

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
