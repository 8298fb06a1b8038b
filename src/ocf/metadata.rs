//! What the agent says of itself: its parameters, from the one table of settings, and its actions.

use std::fmt::Write;
use std::time::Duration;

use crate::actions::QUICK_CHECK_LIMIT;
use crate::dovecot::service::CHANGE_LIMIT;
use crate::settings::{self, Row};

/// The longest that an administrator's tool should let each action take: what the kit itself allows
/// its service command, and time for the check or for the signals around it.
pub(crate) const ACTION_TIME: Duration = CHANGE_LIMIT.saturating_add(Duration::from_secs(30));

/// The same for monitor, which ends before.
pub(crate) const MONITOR_TIME: Duration = QUICK_CHECK_LIMIT.saturating_add(Duration::from_secs(2));

/// How often monitor should be called.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long validate-all and meta-data may take.
const SHORT: Duration = Duration::from_secs(10);

/// What each parameter means: its name, its type, and a sentence.
const PARAMETERS: [(&str, &str, &str); 13] = [
    ("debug", "integer", "Whether commands and their output are logged too: 1 or 0."),
    ("restore_check_retry", "integer", "How often start gives the start command at most."),
    ("restore_wait", "integer", "Longest wait for readiness after each start command, in seconds."),
    ("remove_check_retry", "integer", "How often stop gives the stop command at most."),
    ("remove_wait", "integer", "Longest wait for the end after each stop command, in seconds."),
    (
        "ip_list",
        "string",
        "Where Dovecot must answer: IP:port:timeout, one or more, split at blanks or commas.",
    ),
    (
        "probe",
        "string",
        "How deep monitor looks: connect; greeting, which also reads and judges the greeting; or login, \
         which also opens a mailbox.",
    ),
    (
        "login_file",
        "string",
        "The file with the account of the login check, root's own, mode 0600.",
    ),
    ("login_mailbox", "string", "The mailbox that the login check opens."),
    ("login_timeout", "integer", "How long the login check may take, in seconds."),
    ("login_fault", "string", "Which failed login is a fault: store, any or never."),
    (
        "wait",
        "string",
        "What the two waits mean: ready, at most this long; fixed, always the full time.",
    ),
    ("service", "string", "Dovecot's name as a service of the system."),
];

/// Writes it; the rows are the parameters with their defaults.
pub(super) fn metadata(rows: &[Row]) -> String {
    let mut parameters = String::new();
    for row in rows {
        let name = settings::name(row.key);
        let described = PARAMETERS.iter().find(|(known, ..)| *known == name);
        let (kind, words) = described
            .map_or(("string", "See ocf_dovecot-ark_dovecot(7)."), |(_, kind, words)| {
                (kind, words)
            });
        let (short, value) = (escaped(words.trim_end_matches('.')), escaped(&row.value));
        let _ = write!(
            parameters,
            "<parameter name=\"{name}\" unique=\"0\" required=\"0\">\n\
             <longdesc lang=\"en\">{}</longdesc>\n\
             <shortdesc lang=\"en\">{short}</shortdesc>\n\
             <content type=\"{kind}\" default=\"{value}\"/>\n\
             </parameter>\n",
            escaped(words)
        );
    }
    let (long, short) = (ACTION_TIME.as_secs(), SHORT.as_secs());
    let (check, interval) = (MONITOR_TIME.as_secs(), INTERVAL.as_secs());
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<?xml version=\"1.0\"?>\n\
         <!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\">\n\
         <resource-agent name=\"dovecot\" version=\"{version}\">\n\
         <version>1.1</version>\n\
         <longdesc lang=\"en\">\n\
         Starts, stops and checks the Dovecot mail server by its service command. It finds a frozen\n\
         master and a dead authentication by the greeting, ends what a stop command leaves, and never\n\
         touches another Dovecot.\n\
         </longdesc>\n\
         <shortdesc lang=\"en\">Dovecot mail server</shortdesc>\n\
         <parameters>\n\
         {parameters}\
         </parameters>\n\
         <actions>\n\
         <action name=\"start\" timeout=\"{long}s\"/>\n\
         <action name=\"stop\" timeout=\"{long}s\"/>\n\
         <action name=\"monitor\" timeout=\"{check}s\" interval=\"{interval}s\" depth=\"0\"/>\n\
         <action name=\"monitor\" timeout=\"{check}s\" interval=\"60s\" depth=\"10\"/>\n\
         <action name=\"monitor\" timeout=\"{check}s\" interval=\"60s\" depth=\"20\"/>\n\
         <action name=\"validate-all\" timeout=\"{short}s\"/>\n\
         <action name=\"meta-data\" timeout=\"{short}s\"/>\n\
         </actions>\n\
         </resource-agent>\n"
    )
}

/// A text as XML takes it, between tags and between quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{KEYS, Settings, of_parameters};

    #[test]
    fn each_parameter_is_described_and_has_the_default_of_the_table() {
        let (_, report) = of_parameters(|_| None, Settings::default());
        let text = metadata(&report.settings);
        assert_eq!(
            report.settings.len(),
            KEYS.len() - 1,
            "all but the one that creates a resource"
        );
        for row in &report.settings {
            let name = settings::name(row.key);
            assert!(PARAMETERS.iter().any(|(known, ..)| *known == name), "{name} has no words");
            assert!(text.contains(&format!("name=\"{name}\"")), "{name}");
            assert!(text.contains(&format!("default=\"{}\"", row.value)), "{name}");
        }
    }

    #[test]
    fn what_means_something_in_xml_is_escaped() {
        assert_eq!(escaped("a<b & \"c\""), "a&lt;b &amp; &quot;c&quot;");
    }
}
