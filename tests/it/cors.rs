//! Pages from elsewhere, and what the gateway on a desk lets them do: what API Gateway would, by the
//! template.

use std::sync::Arc;

use edge::Function;
use lambda_http::LambdaEvent;
use local::gateway::{self, Cors};
use local::sandbox::plain_http;
use local::template::Template;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::desk::{listen, serve};

const PAGE: &str = "https://tickets.example";

/// What a browser asks before it sends what is not simple.
async fn preflight(url: &str, origin: &str, method: &str, headers: &str) -> Response {
    let request = plain_http()
        .request(Method::OPTIONS, url)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    request.send().await.unwrap()
}

async fn get(url: &str, origin: &str) -> Response {
    plain_http().get(url).header("origin", origin).send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Goal: an app in a browser books on a desk. Method: what a browser asks before each of the methods of
/// the API with the headers that the API reads, and a request itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_app_in_a_browser_works_on_a_desk() {
    let server = serve(|options| options.demo = false).await;
    let hold = format!("{}/api/reservations/hold", server.url);
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let headers = "authorization,content-type,if-match,if-none-match";
        let answer = preflight(&hold, PAGE, method, headers).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("*"), "{method}");
        let methods = header(&answer, "access-control-allow-methods").unwrap();
        assert!(methods.split(',').any(|allowed| allowed == method), "{methods}");
        let allowed = header(&answer, "access-control-allow-headers").unwrap();
        for wanted in headers.split(',') {
            assert!(allowed.split(',').any(|allowed| allowed == wanted), "{allowed}");
        }
        assert_eq!(header(&answer, "access-control-allow-credentials"), None, "tokens, no cookies");
    }
    let cities = format!("{}/api/cities", server.url);
    let answer = get(&cities, PAGE).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "access-control-allow-origin"), Some("*"));
    let exposed = header(&answer, "access-control-expose-headers").unwrap();
    for name in ["etag", "retry-after", "x-request-id"] {
        assert!(exposed.split(',').any(|exposed| exposed == name), "{exposed}");
    }
    let own = plain_http().get(&cities).send().await.unwrap();
    assert_eq!(header(&own, "access-control-allow-origin"), None, "nobody asked");
    server.stop().await;
}

/// Goal: a page from elsewhere does what the template lets it do, and no more. Method: both sides of each
/// list; a function that says something else.
#[tokio::test]
async fn pages_from_elsewhere_may_do_what_the_template_says() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let cors = Cors {
        allow_origins: list(&[PAGE, "http://localhost:5173"]),
        allow_methods: list(&["GET", "POST"]),
        allow_headers: list(&["authorization"]),
        expose_headers: list(&["etag"]),
        max_age_secs: Some(600),
        allow_credentials: true,
    };
    let answer = json!({
        "statusCode": 200,
        "headers": {"access-control-allow-origin": "https://evil.example", "etag": "\"1\""},
    });
    let function: Function = Arc::new(move |_event: LambdaEvent<Value>| {
        let answer = answer.clone();
        Box::pin(async move { Ok::<Value, edge::Error>(answer) })
    });
    let routes = Template::read().unwrap().routes();
    let find = |_: &str| Some(Arc::clone(&function));
    let router = gateway::router(&routes, find, Some(cors), &edge::system_clock()).unwrap();
    let url = listen(router).await;
    let (cities, nowhere) = (format!("{url}/api/cities"), format!("{url}/nowhere"));

    for (path, origin, method, headers, is_allowed) in [
        (&cities, PAGE, "POST", "authorization", true),
        (&nowhere, PAGE, "POST", "", true),
        (&cities, "http://localhost:5173", "GET", "Authorization", true),
        (&cities, "https://evil.example", "GET", "", false),
        (&cities, "https://tickets.example.evil.example", "GET", "", false),
        (&cities, "null", "GET", "", false),
        (&cities, PAGE, "DELETE", "", false),
        (&cities, PAGE, "GET", "authorization, x-other", false),
    ] {
        let answer = preflight(path, origin, method, headers).await;
        assert_eq!(answer.status(), 204, "{origin} {method} {headers}");
        let expected = is_allowed.then_some(origin);
        let allowed = header(&answer, "access-control-allow-origin");
        assert_eq!(allowed, expected, "{origin} {method} {headers}");
        let max_age = header(&answer, "access-control-max-age");
        assert_eq!(max_age, is_allowed.then_some("600"));
    }

    let answer = get(&cities, PAGE).await;
    assert_eq!(header(&answer, "access-control-allow-origin"), Some(PAGE));
    assert_eq!(header(&answer, "access-control-allow-credentials"), Some("true"));
    assert_eq!(header(&answer, "access-control-expose-headers"), Some("etag"));
    let answer = get(&cities, "https://evil.example").await;
    assert_eq!(header(&answer, "access-control-allow-origin"), None, "whatever the function says");
    assert_eq!(header(&answer, "access-control-expose-headers"), None);
    assert_eq!(header(&answer, "etag"), Some("\"1\""));
    // No preflight, but a method that there is no route for.
    let options = plain_http().request(Method::OPTIONS, &cities).send().await.unwrap();
    assert_eq!(options.status(), 404);
}
