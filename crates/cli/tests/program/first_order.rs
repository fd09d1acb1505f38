//! The way a newcomer goes: paste what the server prints, or let `chancery demo` do it.

use std::process::{Command, Stdio};

use chancery_testkit::Engine;

use crate::programs::{Installation, on_both_engines, program};

on_both_engines!(
    the_printed_commands_end_in_ok,
    the_printed_commands_make_a_contact,
    the_demo_carries_an_order_through
);

async fn the_printed_commands_end_in_ok(engine: Engine) {
    let home = Installation::new(engine).await;
    let mut server = home.serve().await;
    let printed = server.printed_until("The same in one").await;
    let begin = printed
        .iter()
        .position(|line| line.starts_with("cd "))
        .unwrap();
    let end = printed
        .iter()
        .rposition(|line| line.starts_with("openssl verify"))
        .unwrap();
    let script = printed[begin..=end].join("\n");
    for shell in ["sh", "bash"] {
        let said = pasted(&home, shell, &script).await;
        assert!(said.trim_end().ends_with("shop.pem: OK"), "{shell}: {said}");
    }
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn the_printed_commands_make_a_contact(engine: Engine) {
    let home = Installation::new(engine).await;
    let mut server = home.serve().await;
    let printed = server.printed_until("contacts/details").await;
    let begin = printed
        .iter()
        .position(|line| line.starts_with("CONTACT="))
        .unwrap();
    let script = printed[begin..].join("\n");
    for shell in ["sh", "bash"] {
        let said = pasted(&home, shell, &script).await;
        for expected in [
            r#""currentstatus":"Active""#,
            r#""emailaddr":"sam@shop.example""#,
        ] {
            assert!(said.contains(expected), "{shell}: {said}");
        }
    }
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

/// What a shell says and complains of, into which a script is pasted.
async fn pasted(home: &Installation, shell: &str, script: &str) -> String {
    let environment = std::env::vars().filter(|(name, _)| !name.starts_with("CHANCERY_"));
    let mut child = tokio::process::Command::new(shell)
        .env_clear()
        .envs(environment)
        .env("TMPDIR", home.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, script.as_bytes())
        .await
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    complained + &String::from_utf8_lossy(&output.stdout)
}

async fn the_demo_carries_an_order_through(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let url = format!("http://{}", server.address);
    let mut demo: Command = program();
    demo.args(["demo", "--url", &url, "--data"])
        .arg(home.data());
    let output = tokio::process::Command::from(demo).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said} {complained}");
    assert!(said.contains("shop.example"), "{said}");
    assert!(
        !said.contains('\u{1b}') && !said.contains('\r'),
        "plain lines without a terminal: {said:?}"
    );
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}
