//! A crowd against a server that speaks just enough.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
};

use super::*;

/// A request's first line; the rest of its head, and a body of `{}`, are read and dropped.
fn asked(fan: &mut BufReader<TcpStream>) -> String {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| line != "\r\n") {
        let mut line = String::new();
        fan.read_line(&mut line).unwrap();
        lines.push(line);
    }
    if lines.iter().any(|line| line == "content-length: 2\r\n") {
        fan.consume(2);
    }
    lines[0].trim().to_owned()
}

fn tell(fan: &mut BufReader<TcpStream>, frame: &str) {
    let frame = format!("{frame}\n\n");
    write!(fan.get_mut(), "{:x}\r\n{frame}\r\n", frame.len()).unwrap();
}

/// Every fan joins and gets a stream, one after the other; at the word all but the last hear a notice, and
/// that one is closed.
fn serve(listener: &TcpListener, fans: usize, word: &Receiver<()>) {
    let mut open = Vec::new();
    for _ in 0..fans {
        let (fan, from) = listener.accept().unwrap();
        assert!(from.ip().is_loopback() && from.ip() != listener.local_addr().unwrap().ip());
        let mut fan = BufReader::new(fan);
        assert_eq!(asked(&mut fan), "POST /join HTTP/1.1");
        fan.get_mut().write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        assert_eq!(asked(&mut fan), "GET /events HTTP/1.1");
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        fan.get_mut().write_all(head).unwrap();
        tell(&mut fan, "retry: 1");
        tell(&mut fan, "event: state\ndata: {}");
        open.push(fan);
    }
    word.recv().unwrap();
    open.pop();
    for fan in &mut open {
        tell(fan, "event: notice\ndata: {}");
    }
    // nobody hangs up before the client has
    for mut fan in open {
        assert_eq!(fan.read_line(&mut String::new()).unwrap(), 0);
    }
}

#[test]
fn a_crowd_joins_listens_and_tells_who_was_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = vec![listener.local_addr().unwrap()];
    let (word, given) = mpsc::channel();
    let server = thread::spawn(move || serve(&listener, 3, &given));
    let setting = Setting {
        first: 0,
        fans: 3,
        join: "/join".into(),
        events: "/events".into(),
        opened_by: Some("state".into()),
        at_once: 1,
    };
    let poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), ORDERS).unwrap();
    let (orders, received) = mpsc::channel();
    let order = move |order: anyhow::Result<Order>| {
        orders.send(order).unwrap();
        waker.wake().unwrap();
    };
    order(Ok(Order::Open { from: 0, to: 3, at, joining: true }));
    let mut said = Vec::new();
    let mut mob = Mob::new(setting, poll.registry().try_clone().unwrap(), |report: &Report| {
        match report {
            Report::Opened => word.send(()).unwrap(),
            Report::Told(_) => order(Ok(Order::Mark)),
            Report::Marked(_) => order(Err(anyhow::anyhow!("the end"))),
            other => panic!("{other:?}"),
        }
        said.push(report.clone());
        Ok(())
    });
    assert_eq!(mob.run(poll, &received).unwrap_err().to_string(), "the end");
    drop(mob);
    server.join().unwrap();
    let [Report::Opened, Report::Told(told), Report::Marked(stats)] = &said[..] else { panic!("{said:?}") };
    assert_eq!(told.deliveries, 2);
    assert_eq!((stats.open, stats.ended, stats.heard_least, stats.heard_most), (2, 1, 1, 1));
    assert_eq!(stats.troubles, ["fan 2 (Open): the server closed the connection"]);
}
