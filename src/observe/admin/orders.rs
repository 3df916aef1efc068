//! What operators can tell the shim to do: drain before the pod ends, and read the configuration again. Who may see the
//! page may give these, by POST alone: a link, an image or a prefetch gives none.

use http::{HeaderMap, Method, Request, StatusCode, Uri, header, uri::Authority};

use super::{Answer, Desk, only, text};
use crate::observe::house::NotReloaded;

/// Something to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Drain,
    Reload,
}

impl Order {
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/drain" => Some(Self::Drain),
            "/reload" => Some(Self::Reload),
            _ => None,
        }
    }
}

impl Desk {
    /// Does it, for one who may see the page.
    pub(super) async fn order<B>(&self, order: Order, request: &Request<B>) -> Answer {
        if *request.method() != Method::POST {
            return only("POST");
        }
        if is_led(request.headers()) {
            return text(StatusCode::FORBIDDEN, "this request was made by a page of another site\n");
        }
        let house = &self.admin.house;
        match order {
            Order::Drain => {
                house.drain();
                let said =
                    "draining: not ready, still answering, each connection ends with its answer; SIGTERM ends it\n";
                text(StatusCode::OK, said)
            }
            Order::Reload => match house.reload().await {
                Ok(notes) => {
                    let but = if notes.is_empty() { "" } else { ", with what is named above" };
                    let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
                    text(StatusCode::OK, format!("{notes}the configuration was read again and is in force{but}\n"))
                }
                Err(why) => {
                    let status = match why {
                        NotReloaded::NoFile => StatusCode::CONFLICT,
                        NotReloaded::Problems(_) => StatusCode::UNPROCESSABLE_ENTITY,
                        NotReloaded::Stopping => StatusCode::SERVICE_UNAVAILABLE,
                    };
                    text(status, format!("{why}\n"))
                }
            },
        }
    }
}

/// Whether a browser says that another site's page had it send this. To look, going here from elsewhere is fine; a form
/// elsewhere that is sent here is not. Browsers tell the origin of a POST, also those without Fetch Metadata.
fn is_led(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    let elsewhere = site.is_some_and(|site| site != "same-origin" && site != "none");
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let ours = |origin: &str| {
        origin.parse::<Uri>().is_ok_and(|origin| origin.authority().is_some() && origin.authority() == host.as_ref())
    };
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    elsewhere || origin.is_some_and(|origin| !ours(origin))
}
