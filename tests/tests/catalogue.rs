//! What is sold and for how much, as panels ask for it.

use chancery_testkit::{Panel, Reply, TestServer, on_both_engines, order_for};
use serde_json::{Value, json};

on_both_engines!(
    products_are_listed,
    a_product_and_its_rules,
    prices_add_up,
    what_cannot_be_priced_is_told,
    an_order_may_have_what_its_rules_say_and_no_more,
);

async fn products_are_listed(server: &mut TestServer) {
    let panel = server.panel().await;
    let list = panel.http.get("/ssl/v2/products/list").await.data();
    let list = list.as_array().unwrap();
    let keys: Vec<&str> = list
        .iter()
        .map(|item| item["productKey"].as_str().unwrap())
        .collect();
    assert!(keys.contains(&"ssl123"), "{keys:?}");
    for item in list {
        for key in ["productName", "provider", "certType"] {
            assert!(item[key].is_string(), "{key} {item}");
        }
        for key in ["wildcard", "allowSan", "allowWsan", "allowWSan"] {
            assert!(item[key].is_boolean(), "{key} {item}");
        }
        assert!(
            item["bundle"].is_object() && item.get("price").is_none(),
            "{item}"
        );
    }
    let types: Vec<&Value> = list.iter().map(|item| &item["certType"]).collect();
    for kind in ["DV", "OV", "EV"] {
        assert!(types.contains(&&json!(kind)), "{kind}");
    }
    let priced = panel.http.get("/ssl/v2/products/list/price").await.data();
    assert_eq!(priced.as_array().unwrap().len(), list.len());
    for item in priced.as_array().unwrap() {
        assert!(item["price"].is_f64(), "{item}");
    }
}

async fn a_product_and_its_rules(server: &mut TestServer) {
    let panel = server.panel().await;
    let info = panel
        .http
        .get("/ssl/v2/products/info?productKey=dv-wildcard")
        .await
        .data();
    assert_eq!(
        (&info["wildcard"], &info["certType"]),
        (&json!(true), &json!("DV"))
    );
    let rules = panel
        .http
        .get("/ssl/v2/products/rules?productKey=dv-wildcard")
        .await
        .data();
    assert_eq!(rules["productKey"], "dv-wildcard");
    assert_eq!(rules["rules"]["terms"], json!([1]));
    assert_eq!(rules["rules"]["authTypes"], json!(["email", "dns"]));
    for path in ["info", "rules"] {
        let http = &panel.http;
        let unknown = http
            .get(&format!("/ssl/v2/products/{path}?productKey=gold"))
            .await
            .refusal();
        unknown.is(400, "SSL2400", "Invalid product key.");
        let missing = http
            .get(&format!("/ssl/v2/products/{path}"))
            .await
            .refusal();
        missing.is(400, "SSL4000", "Field validation error.");
        let text = "Required request parameter 'productKey' for method parameter type String is not present";
        assert_eq!(missing.about("productKey"), [text]);
    }
}

async fn prices_add_up(server: &mut TestServer) {
    let panel = server.panel().await;
    let short = panel
        .http
        .get("/ssl/v2/products/pricing?productKey=ssl123&term=2")
        .await
        .data();
    assert_eq!(short["price"].to_string(), "18.0");
    // Two names are within the price of this one.
    let bundled = panel
        .http
        .get("/ssl/v2/products/pricing?productKey=dv-multi&term=1&commonSAN=3")
        .await
        .data();
    assert_eq!(bundled["price"].to_string(), "37.0");

    // The price that was told is the price that is charged.
    for (product, names, query) in [
        (
            "ssl123",
            &["a.test", "b.test", "*.c.test"][..],
            "commonSAN=1&wildcardSAN=1",
        ),
        (
            "dv-multi",
            &["a.test", "b.test", "c.test", "d.test", "*.e.test"],
            "commonSAN=3&wildcardSAN=1",
        ),
        ("dv-wildcard", &["*.a.test", "a.test"], ""),
    ] {
        let path = format!("/ssl/v2/products/pricing?productKey={product}&term=1&{query}");
        let told = panel.http.get(&path).await.data()["price"].to_string();
        let before = panel.cents().await;
        panel.place(&panel.order(product, "dns", names).await).await;
        assert_eq!(
            chancery_testkit::cents(&told),
            before - panel.cents().await,
            "{product}: {told}"
        );
    }
}

async fn what_cannot_be_priced_is_told(server: &mut TestServer) {
    let panel = server.panel().await;
    let ask = async |query: &str| {
        panel
            .http
            .get(&format!("/ssl/v2/products/pricing?{query}"))
            .await
            .refusal()
    };
    ask("productKey=gold&term=1")
        .await
        .is(400, "SSL2400", "Invalid product key.");
    let terms = "Invalid terms. Supported terms are [1, 2, 3]";
    ask("productKey=ssl123&term=9")
        .await
        .is(400, "SSL2400", terms);
    ask("productKey=ssl123&term=-1")
        .await
        .is(400, "SSL2400", terms);
    let wrong = ask("term=two&commonSAN=-1&wildcardSAN=x").await;
    wrong.is(400, "SSL4000", "Field validation error.");
    for field in ["productKey", "term", "commonSAN", "wildcardSAN"] {
        assert_eq!(wrong.about(field).len(), 1, "{field}: {wrong:?}");
    }
    let missing = ask("").await;
    assert_eq!(missing.fields.len(), 2, "{missing:?}");
}

/// A product with what its rules page says, and what the reseller has made to order it.
struct Ordering<'a> {
    panel: &'a Panel,
    key: String,
    rules: Value,
    contacts: [String; 2],
    organization: i64,
}

impl Ordering<'_> {
    /// An order of so many further names; as the rules want it, where nothing is changed.
    fn order(&self, names: usize, wildcards: usize) -> Value {
        let common_name = match self.rules["wildcard"] == true {
            true => format!("*.{}.test", self.key),
            false => format!("{}.test", self.key),
        };
        let mut all = vec![common_name];
        all.extend((0..names).map(|number| format!("n{number}.{}.test", self.key)));
        all.extend((0..wildcards).map(|number| format!("*.w{number}.{}.test", self.key)));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let [administrator, technical] = &self.contacts;
        let method = self.rules["wildcardAuthTypes"][0].as_str().unwrap();
        let mut order = order_for(&self.key, method, &all, administrator, technical);
        order["term"] = self.rules["terms"][0].clone();
        let required = self.rules["requiredFields"].as_array().unwrap();
        if required.contains(&json!("organizationId")) {
            order["organizationId"] = json!(self.organization);
        }
        order
    }

    async fn send(&self, order: &Value) -> Reply {
        self.panel.http.post("/ssl/v2/orders/new", order).await
    }

    /// The order is held against the rules and passes.
    async fn passes(&self, order: &Value) {
        self.send(order).await.data();
    }

    /// The order is refused, for this field.
    async fn is_refused(&self, order: &Value, field: &str) {
        let refusal = self.send(order).await.refusal();
        let is_told = !refusal.about(field).is_empty() || refusal.message.contains(field);
        assert!(is_told, "{} {field}: {refusal:?}", self.key);
    }

    async fn terms(&self) {
        let terms = self.rules["terms"].as_array().unwrap();
        for term in terms {
            let mut order = self.order(0, 0);
            order["term"] = term.clone();
            self.passes(&order).await;
        }
        let longest = terms.last().unwrap().as_i64().unwrap();
        for term in [0, longest + 1] {
            let mut order = self.order(0, 0);
            order["term"] = json!(term);
            self.is_refused(&order, "term").await;
        }
    }

    async fn names(&self) {
        let most = usize::try_from(self.rules["maxSan"].as_u64().unwrap()).unwrap();
        assert_eq!(self.rules["minSan"], 0);
        let (ordinary, wildcards) = (&self.rules["allowSan"], &self.rules["allowWsan"]);
        match ordinary == true {
            true => {
                self.passes(&self.order(most, 0)).await;
                self.is_refused(&self.order(most + 1, 0), "sanfield").await;
            }
            false => self.is_refused(&self.order(1, 0), "sanfield").await,
        }
        match wildcards == true {
            true => {
                self.passes(&self.order(0, most)).await;
                self.is_refused(&self.order(0, most + 1), "sanfield").await;
            }
            false => self.is_refused(&self.order(0, 1), "sanfield").await,
        }
        if ordinary == true && wildcards == true {
            self.passes(&self.order(most - 1, 1)).await;
            self.is_refused(&self.order(most, 1), "sanfield").await;
        }
    }

    async fn methods(&self) {
        for method in ["email", "dns", "file"] {
            let is_listed = |list: &str| {
                let list = self.rules[list].as_array().unwrap();
                list.contains(&json!(method))
            };
            let mut order = self.order(0, 0);
            order["authType"] = json!(method);
            match is_listed("authTypes") {
                true => self.passes(&order).await,
                false => self.is_refused(&order, "authType").await,
            }
            if self.rules["allowWsan"] == true {
                let mut order = self.order(0, 1);
                order["authType"] = json!(method);
                match is_listed("wildcardAuthTypes") {
                    true => self.passes(&order).await,
                    false => self.is_refused(&order, "authType").await,
                }
            }
        }
        let mut order = self.order(0, 0);
        order["authType"] = json!("telegram");
        self.is_refused(&order, "authType").await;
    }

    async fn fields(&self) {
        let required = self.rules["requiredFields"].as_array().unwrap();
        let is_required = |field: &str| required.contains(&json!(field));
        for field in required {
            let field = field.as_str().unwrap();
            let mut order = self.order(0, 0);
            order.as_object_mut().unwrap().remove(field);
            self.is_refused(&order, field).await;
        }
        let mut order = self.order(0, 0);
        order
            .as_object_mut()
            .unwrap()
            .retain(|field, _| is_required(field));
        self.passes(&order).await;
    }

    /// A price is told of what can be ordered, and of nothing else.
    async fn prices(&self) {
        let most = self.rules["maxSan"].as_u64().unwrap();
        let ask = async |term: &Value, names: u64, wildcards: u64| {
            let path = format!(
                "/ssl/v2/products/pricing?productKey={}&term={term}&commonSAN={names}&wildcardSAN={wildcards}",
                self.key
            );
            self.panel.http.get(&path).await.status
        };
        let status = |allowed: bool| if allowed { 200 } else { 400 };
        let (ordinary, wildcards) = (
            self.rules["allowSan"] == true,
            self.rules["allowWsan"] == true,
        );
        for term in self.rules["terms"].as_array().unwrap() {
            assert_eq!(ask(term, 0, 0).await, 200);
            assert_eq!(ask(term, most.max(1), 0).await, status(ordinary));
            assert_eq!(ask(term, 0, most.max(1)).await, status(wildcards));
            assert_eq!(ask(term, most + 1, 0).await, 400);
            assert_eq!(ask(term, 0, most + 1).await, 400);
        }
    }
}

async fn an_order_may_have_what_its_rules_say_and_no_more(server: &mut TestServer) {
    let panel = server.panel().await;
    let contacts = panel.contacts().await;
    let organization = panel.organization("Shop Ltd").await;
    let list = panel.http.get("/ssl/v2/products/list").await.data();
    for item in list.as_array().unwrap() {
        let key = item["productKey"].as_str().unwrap().to_owned();
        let page = async |page: &str| {
            let path = format!("/ssl/v2/products/{page}?productKey={key}");
            panel.http.get(&path).await.data()
        };
        let (info, rules) = (page("info").await, page("rules").await);
        // The pages agree with each other.
        for flag in ["wildcard", "allowSan", "allowWsan"] {
            assert_eq!(item[flag], info[flag], "{key} {flag}");
            assert_eq!(item[flag], rules["rules"][flag], "{key} {flag}");
        }
        let ordering = Ordering {
            panel: &panel,
            rules: rules["rules"].clone(),
            contacts: contacts.clone(),
            organization,
            key,
        };
        ordering.terms().await;
        ordering.names().await;
        ordering.methods().await;
        ordering.fields().await;
        ordering.prices().await;
    }
}
