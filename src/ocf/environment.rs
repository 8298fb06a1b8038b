//! What the engine of resource agents says by the environment (Resource Agent API 1.1; Pacemaker
//! 2.1, `crm_resource(8)` and "Pacemaker Administration").

use std::time::Duration;

use crate::actions::Occasion;
use crate::messages::Remark;
use crate::probe::endpoint::Depth;
use crate::settings::{self, Commands, Row, Settings};

/// Begins the name of each parameter.
const PARAMETER: &str = "OCF_RESKEY_";

/// How long before the engine gives up an action must have ended: the time to start the program, and
/// to write its reason.
const MARGIN: Duration = Duration::from_millis(500);

/// The name of the resource where the engine does not say it.
const NAME: &str = "dovecot";

/// The engine's words. Where a value is wrong, all wrong ones are named.
#[derive(Debug)]
pub(super) struct Environment<V> {
    value: V,
}

impl<V: Fn(&str) -> Option<String>> Environment<V> {
    /// Takes what looks a variable up.
    pub(super) const fn new(value: V) -> Self {
        Self { value }
    }

    fn word(&self, name: &str) -> Option<String> {
        (self.value)(name).filter(|word| !word.is_empty())
    }

    pub(super) fn instance(&self) -> String {
        self.word("OCF_RESOURCE_INSTANCE").unwrap_or_else(|| NAME.to_owned())
    }

    /// The parameters as they hold.
    pub(super) fn rows(&self) -> Vec<Row> {
        let standard = Settings { probe: Depth::Greeting, ..Settings::default() };
        let value = |name: &str| self.word(&format!("{PARAMETER}{name}"));
        settings::of_parameters(value, standard).1.settings
    }

    /// The parameters of an action that begins at this time, and what is wrong with them.
    pub(super) fn settings(&self, now: Duration) -> (Settings, Vec<String>) {
        let limit = self.word("OCF_RESKEY_CRM_meta_timeout");
        let (deadline, complaint) = match limit.map(|text| (text.parse(), text)) {
            None => (None, None),
            Some((Ok(millis), _)) => {
                let limit = Duration::from_millis(millis);
                (Some(now + limit.saturating_sub(MARGIN.min(limit / 2))), None)
            }
            Some((Err(_), text)) => {
                let text = crate::text::excerpt(&text);
                (None, Some(format!("CRM_meta_timeout={text}: milliseconds are expected")))
            }
        };
        let standard = Settings {
            probe: Depth::Greeting,
            commands: Commands::Systemd,
            deadline,
            ..Settings::default()
        };
        let (settings, report) =
            settings::of_parameters(|name| self.word(&format!("{PARAMETER}{name}")), standard);
        (settings, complaint.into_iter().chain(Remark::texts(&report.warnings)).collect())
    }

    /// Why monitor is called. A monitor that is not repeated is a probe; a person's has no interval.
    pub(super) fn occasion(&self) -> Occasion {
        match self.word("OCF_RESKEY_CRM_meta_interval").as_deref() {
            Some("0") => Occasion::Probe,
            Some(_) | None => Occasion::Service,
        }
    }

    /// How deep monitor looks: as the parameter says, unless the operation names a level.
    ///
    /// # Errors
    ///
    /// Why there is no such level.
    pub(super) fn depth(&self, parameter: Depth) -> Result<Depth, String> {
        match self.word("OCF_CHECK_LEVEL").as_deref() {
            None | Some("0") => Ok(parameter),
            Some("10") => Ok(Depth::Greeting),
            Some("20") => Ok(Depth::Login),
            Some(other) => {
                let other = crate::text::excerpt(other);
                Err(format!("OCF_CHECK_LEVEL={other}: 0, 10 or 20 is expected"))
            }
        }
    }

    /// Whether the engine knows the answer "degraded". Pacemaker does since 2.1, which says that it
    /// speaks version 1.1 of the interface; to others it would be a failure.
    pub(super) fn knows_degraded(&self) -> bool {
        let number = |name| self.word(name).and_then(|word| word.parse::<u32>().ok());
        (number("OCF_RA_VERSION_MAJOR"), number("OCF_RA_VERSION_MINOR")) >= (Some(1), Some(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &[(&str, &str)]) -> Environment<impl Fn(&str) -> Option<String>> {
        let words: Vec<(String, String)> =
            words.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Environment::new(move |name: &str| {
            words.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn parameters_have_the_names_of_the_keys_and_listen_to_the_greeting_unless_told() {
        let now = Duration::from_secs(100);
        let (settings, wrong) = given(&[]).settings(now);
        assert_eq!(wrong, Vec::<String>::new());
        let standard =
            Settings { probe: Depth::Greeting, commands: Commands::Systemd, ..Settings::default() };
        assert_eq!(settings, standard);
        let (settings, wrong) = given(&[
            ("OCF_RESKEY_ip_list", "192.0.2.10:143:4, tls:192.0.2.10:993"),
            ("OCF_RESKEY_probe", "connect"),
            ("OCF_RESKEY_service", "dovecot2"),
            ("OCF_RESKEY_remove_check_retry", "1"),
            ("OCF_RESKEY_restore_wait", ""),
            ("OCF_RESKEY_create", "x"),
            ("OCF_RESKEY_CRM_meta_timeout", "20000"),
        ])
        .settings(now);
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!((settings.probe, settings.endpoints.len()), (Depth::Connect, 2));
        assert_eq!((&*settings.service, settings.remove_rounds), ("dovecot2", 1));
        assert_eq!(settings.restore_wait, Duration::from_secs(3));
        assert_eq!(
            (settings.create, settings.deadline),
            (None, Some(now + Duration::from_millis(19_500)))
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_not_replaced_in_words() {
        let (_, wrong) = given(&[
            ("OCF_RESKEY_probe", "deep"),
            ("OCF_RESKEY_ip_list", "127.0.0.1:143 mail.example.com:143"),
            ("OCF_RESKEY_CRM_meta_timeout", "20s"),
        ])
        .settings(Duration::ZERO);
        let [timeout, list, probe] = wrong.as_slice() else { panic!("{wrong:?}") };
        assert_eq!(timeout, "CRM_meta_timeout=20s: milliseconds are expected");
        assert!(list.contains("parameter ip_list=") && list.contains("mail.example.com"), "{list}");
        assert_eq!(probe, "parameter probe=deep: connect, greeting or login is expected");
    }

    #[test]
    fn a_level_deepens_the_look_and_one_that_is_not_there_is_refused() {
        for (level, depth) in [
            ("", Ok(Depth::Connect)),
            ("0", Ok(Depth::Connect)),
            ("10", Ok(Depth::Greeting)),
            ("20", Ok(Depth::Login)),
            ("5", Err("OCF_CHECK_LEVEL=5: 0, 10 or 20 is expected")),
        ] {
            let told = given(&[("OCF_CHECK_LEVEL", level)]).depth(Depth::Connect);
            assert_eq!(told, depth.map_err(str::to_owned), "{level:?}");
        }
    }

    #[test]
    fn only_an_engine_that_speaks_1_1_hears_of_degraded() {
        for (major, minor, knows) in [
            ("1", "1", true),
            ("1", "2", true),
            ("2", "0", true),
            ("1", "0", false),
            ("1", "", false),
            ("", "", false),
        ] {
            let words = [("OCF_RA_VERSION_MAJOR", major), ("OCF_RA_VERSION_MINOR", minor)];
            assert_eq!(given(&words).knows_degraded(), knows, "{major}.{minor}");
        }
    }

    #[test]
    fn a_monitor_that_is_not_repeated_is_a_probe() {
        let interval = "OCF_RESKEY_CRM_meta_interval";
        assert_eq!(given(&[(interval, "0")]).occasion(), Occasion::Probe);
        assert_eq!(given(&[(interval, "10000")]).occasion(), Occasion::Service);
        assert_eq!(given(&[]).occasion(), Occasion::Service);
    }
}
