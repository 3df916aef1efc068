//! The app as a process: a SCIM endpoint that keeps what it has done in a file, so that it can be restarted, killed and
//! asked afterwards. A write is in the file before it is answered.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time;

/// Long enough that a signal meets requests in the middle.
const WORK: Duration = Duration::from_millis(5);

/// The list of addresses that it also serves, for a feed.
pub(crate) const RANGES: &str = "192.0.2.0/24\n198.51.100.0/24\n203.0.113.0/24\n";

/// What the app has done, by what the writes were marked with.
struct Book {
    file: File,
    done: HashSet<String>,
}

/// The role of the process: `app ADDRESS FILE`.
pub(crate) fn main(args: &[String]) {
    let [address, file] = args else { panic!("app ADDRESS FILE") };
    let done = fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect();
    let file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    let book = Arc::new(Mutex::new(Book { file, done }));
    super::process_app::serve(address.parse().unwrap(), move |request| answer(request, Arc::clone(&book)));
}

async fn answer(request: Request<Incoming>, book: Arc<Mutex<Book>>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        // Its sender has gone; nobody reads this.
        return Response::new(Full::default());
    };
    let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    if target == "/ranges.txt" {
        return Response::new(Full::new(Bytes::from_static(RANGES.as_bytes())));
    }
    let (status, answer) = match head.method {
        Method::POST | Method::PATCH => {
            let mark = body["externalId"].as_str().or(body["Operations"][0]["value"].as_str()).expect("a mark");
            {
                let mut book = book.lock().unwrap();
                // One write, so that a kill leaves whole lines.
                book.file.write_all(format!("{mark}\n").as_bytes()).unwrap();
                book.done.insert(mark.to_owned());
            }
            (if head.method == Method::POST { 201 } else { 200 }, user(mark))
        }
        _ => {
            let mark = target.split("%22").nth(1).unwrap_or_default();
            let found = book.lock().unwrap().done.contains(mark);
            let resources: Vec<_> = found.then(|| user(mark)).into_iter().collect();
            let schemas = ["urn:ietf:params:scim:api:messages:2.0:ListResponse"];
            let count = resources.len();
            (
                200,
                json!({"schemas": schemas, "totalResults": count, "startIndex": 1, "itemsPerPage": count,
                         "Resources": resources}),
            )
        }
    };
    time::sleep(WORK).await;
    let answer = Full::new(Bytes::from(answer.to_string()));
    let head = Response::builder().status(status).header("content-type", "application/scim+json");
    head.body(answer).unwrap()
}

fn user(mark: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": mark, "externalId": mark, "userName": mark,
           "meta": {"resourceType": "User"}})
}
