//! Stopping: what is under way is finished, then the program ends well.

use chancery_testkit::Engine;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::programs::{Installation, on_both_engines};

on_both_engines!(
    a_request_under_way_is_answered,
    what_was_kept_is_found_again
);

async fn a_request_under_way_is_answered(engine: Engine) {
    let home = Installation::new(engine).await;
    let mut server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let body = panel
        .order("ssl123", "dns", &["shop.test"])
        .await
        .to_string();
    let head = format!(
        "POST /ssl/v2/orders/new HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        panel.token,
        body.len()
    );
    let mut stream = server.http().open_raw(head.as_bytes()).await;
    // The server says that it waits for the body, so it is at work on this request.
    let mut interim = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut interim)
        .await
        .unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.terminate();
    // It takes no more connections from the moment it drains.
    while let Ok(late) = TcpStream::connect(server.address).await {
        drop(late);
        tokio::task::yield_now().await;
    }
    stream.write_all(body.as_bytes()).await.unwrap();
    let reply = server.http().read_raw(stream).await;
    let placed = reply.data();
    assert_eq!(server.wait().await, Some(0));

    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let info = panel.info(placed["orderId"].as_str().unwrap()).await;
    assert_eq!(info["commonName"], "shop.test");
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn what_was_kept_is_found_again(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let certificate = panel.certificate(&id).await;
    server.world().put_dns("kept.test", "TXT", &["kept"]).await;
    server.stop().await;

    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    assert_eq!(panel.certificate(&id).await, certificate);
    let records = server.http().get("/ote/dns").await.json();
    assert!(
        records
            .as_array()
            .unwrap()
            .iter()
            .any(|set| set["values"] == json!(["kept"])),
        "{records}"
    );
    server.stop().await;
    home.remove().await;
}
