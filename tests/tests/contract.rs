//! The contract document and its page, as a stranger gets them.

use chancery_testkit::{Engine, TestServer, run};

#[test]
fn the_document_and_its_page_are_for_everyone() {
    run(async |logs| {
        let server = TestServer::start(Engine::Sqlite, logs).await;
        let http = server.http();
        let document = http.get("/openapi.json").await;
        assert_eq!(document.header("content-type"), "application/json");
        assert_eq!(document.json(), chancery_server::openapi());

        let page = http.get("/docs").await;
        assert_eq!(page.header("content-type"), "text/html;charset=UTF-8");
        let mut parts = 0;
        for place in ["src=\"", "href=\"docs"] {
            for (at, _) in page.text().match_indices(place) {
                let target = page.text()[at..].split('"').nth(1).unwrap().to_owned();
                let part = http.get(&format!("/{target}")).await;
                assert_eq!(part.status, 200, "{target}");
                assert!(is_closed(part.header("content-security-policy")));
                parts += 1;
            }
        }
        assert_eq!(parts, 3);
        assert!(is_closed(page.header("content-security-policy")));
        assert_eq!(http.send("HEAD", "/docs", "").await.status, 200);
        assert_eq!(http.send("POST", "/openapi.json", "").await.status, 405);
        server.finish().await;
    });
}

/// Whether a policy lets a page reach nothing but where it is from.
fn is_closed(policy: &str) -> bool {
    let mut rules = policy.split(';').map(str::trim);
    let is_here = |source: &str| ["'none'", "'self'", "data:"].contains(&source);
    policy.contains("default-src 'none'") && rules.all(|rule| rule.split(' ').skip(1).all(is_here))
}
