//! What of an answer matters to anyone here.

/// The headers of an answer that matter to anyone here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(&'static str, String)>);

impl Headers {
    /// The names that are kept, in lower case. All documented, but for `x-failure-category` and
    /// `x-seraph-loginreason` (seen).
    const KEPT: [&'static str; 18] = [
        "atl-request-id",
        "atl-traceid",
        "beta-ratelimit",
        "beta-retry-after",
        "content-type",
        "date",
        "location",
        "ratelimit",
        "ratelimit-reason",
        "retry-after",
        "x-aaccountid",
        "x-arequestid",
        "x-ausername",
        "x-beta-ratelimit-reason",
        "x-beta-ratelimit-reset",
        "x-failure-category",
        "x-ratelimit-reset",
        "x-seraph-loginreason",
    ];

    /// Keeps what `value` knows of the names.
    pub fn read(value: impl Fn(&str) -> Option<String>) -> Self {
        let kept = Self::KEPT
            .iter()
            .filter_map(|name| Some((*name, value(name)?)));
        Self(kept.collect())
    }

    /// A header's value, by its name in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(kept, _)| *kept == name)?;
        Some(value)
    }

    /// The id that the site's support asks for: `Atl-Traceid`, else `Atl-Request-Id`, else `X-ARequestId`. Documented.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        let ids = ["atl-traceid", "atl-request-id", "x-arequestid"];
        let id = ids.iter().find_map(|name| self.get(name))?;
        let sane = (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        sane.then(|| id.to_owned())
    }

    /// The site took the request for nobody's.
    pub(super) fn is_anonymous(&self) -> bool {
        self.get("x-ausername")
            .is_some_and(|name| name.eq_ignore_ascii_case("anonymous"))
    }

    #[cfg(test)]
    pub(in crate::api) fn of(headers: &[(&str, &str)]) -> Self {
        Self::read(|name| {
            let (_, value) = headers
                .iter()
                .find(|(other, _)| other.eq_ignore_ascii_case(name))?;
            Some((*value).to_owned())
        })
    }
}

/// An answer as it came, at most so long as a client reads.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that matter.
    pub headers: Headers,
    /// The body; what there is of it, when `cut` is given.
    pub body: Vec<u8>,
    /// Why the body ended early.
    pub cut: Option<String>,
}

impl Answer {
    /// The status says that the request was carried out.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

// a body holds personal data
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
