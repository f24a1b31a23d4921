"""Kinds of secrets as they stand in files, with values that are made up."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

_LOWER, _UPPER, _DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
_ALNUM = string.ascii_letters + _DIGITS
_HEX = "0123456789abcdef"
_B64 = _ALNUM + "+/"


class Made:
    """Values from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def of(self, alphabet: str, count: int) -> str:
        return "".join(self._random.choice(alphabet) for _ in range(count))

    def alnum(self, count: int) -> str:
        return self.of(_ALNUM, count)

    def hex(self, count: int) -> str:
        return self.of(_HEX, count)

    def b64(self, count: int) -> str:
        return self.of(_B64, count)

    def low(self, count: int) -> str:
        return self.of(_LOWER + _DIGITS, count)

    def up(self, count: int) -> str:
        return self.of(_UPPER + _DIGITS, count)

    def digits(self, count: int) -> str:
        return self.of("123456789", count)

    def word(self) -> str:
        """A password as people choose one."""
        return "".join(
            self._random.choice(["horse", "tango", "lamp", "river", "moss"]) for _ in range(2)
        ) + self.digits(2)

    def lines(self, count: int, width: int = 64) -> str:
        return "\n".join(self.b64(width) for _ in range(count))


Kind = tuple[str, str, Callable[[Made], tuple[str, str, str]]]
"""A name, a file's name, and what stands before the secret, the secret, and what stands behind it."""


def _kind(name: str, file: str, before: str, secret: Callable[[Made], str], after: str = "") -> Kind:
    return name, file, lambda made: (before, secret(made), after)


KINDS: list[Kind] = [
    # services with a prefix of their own
    _kind("AWS access key", "a.py", 'key = "', lambda m: "AKIA" + m.of(_UPPER + "234567", 16), '"'),
    _kind("AWS secret key", "a.py", 'aws_secret_access_key = "', lambda m: m.b64(40), '"'),
    _kind("AWS session key", "a.py", 'k = "', lambda m: "ASIA" + m.of(_UPPER + "234567", 16), '"'),
    _kind("GitHub token", "a.py", 't = "', lambda m: "ghp_" + m.alnum(36), '"'),
    _kind("GitHub fine-grained token", "a.ts", "const t = '",
          lambda m: "github_pat_" + m.alnum(22) + "_" + m.alnum(59), "'"),
    _kind("GitHub app token", "a.yaml", "x: ", lambda m: "ghs_" + m.alnum(36)),
    _kind("GitLab token", "a.rb", "x = '", lambda m: "glpat-" + m.alnum(20), "'"),
    _kind("GitLab runner token", "a.toml", 'x = "', lambda m: "glrt-" + m.alnum(20), '"'),
    _kind("Slack bot token", "a.py", 'x = "', lambda m: f"xoxb-{m.digits(12)}-{m.digits(12)}-{m.alnum(24)}", '"'),
    _kind("Slack app token", "a.py", 'x = "', lambda m: f"xapp-1-A{m.up(10)}-{m.digits(13)}-{m.hex(64)}", '"'),
    _kind("Slack webhook", "a.sh", "curl ",
          lambda m: f"https://hooks.slack.com/services/T{m.up(8)}/B{m.up(10)}/{m.alnum(24)}"),
    _kind("Discord webhook", "a.js", "x('",
          lambda m: f"https://discord.com/api/webhooks/{m.digits(18)}/{m.alnum(68)}", "')"),
    _kind("Discord bot token", "a.js", "x('", lambda m: f"M{m.alnum(23)}.{m.alnum(6)}.{m.alnum(27)}", "')"),
    _kind("Telegram bot token", "a.py", 'x = "', lambda m: f"{m.digits(10)}:AA{m.alnum(33)}", '"'),
    _kind("Stripe key", "a.py", 'x = "', lambda m: "sk_live_" + m.alnum(24), '"'),
    _kind("Stripe restricted key", "a.py", 'x = "', lambda m: "rk_live_" + m.alnum(24), '"'),
    _kind("Stripe webhook secret", "a.py", 'x = "', lambda m: "whsec_" + m.alnum(32), '"'),
    _kind("OpenAI project key", "a.py", 'x = "', lambda m: "sk-proj-" + m.alnum(74) + "T3BlbkFJ" + m.alnum(74), '"'),
    _kind("OpenAI key", "a.py", 'x = "', lambda m: "sk-" + m.alnum(20) + "T3BlbkFJ" + m.alnum(20), '"'),
    _kind("Anthropic key", "a.py", 'x = "', lambda m: "sk-ant-api03-" + m.alnum(93) + "AA", '"'),
    _kind("OpenRouter key", "a.py", 'x = "', lambda m: "sk-or-v1-" + m.hex(64), '"'),
    _kind("Groq key", "a.py", 'x = "', lambda m: "gsk_" + m.alnum(52), '"'),
    _kind("xAI key", "a.py", 'x = "', lambda m: "xai-" + m.alnum(80), '"'),
    _kind("Perplexity key", "a.py", 'x = "', lambda m: "pplx-" + m.alnum(48), '"'),
    _kind("Replicate token", "a.py", 'x = "', lambda m: "r8_" + m.alnum(37), '"'),
    _kind("NVIDIA key", "a.py", 'x = "', lambda m: "nvapi-" + m.alnum(64), '"'),
    _kind("Hugging Face token", "a.py", 'x = "', lambda m: "hf_" + m.alnum(34), '"'),
    _kind("LangSmith key", "a.py", 'x = "', lambda m: f"lsv2_pt_{m.hex(32)}_{m.hex(10)}", '"'),
    _kind("Tavily key", "a.py", 'x = "', lambda m: "tvly-" + m.alnum(32), '"'),
    _kind("Google API key", "a.js", "x = '", lambda m: "AIza" + m.alnum(35), "'"),
    _kind("Google client secret", "a.js", "x = '", lambda m: "GOCSPX-" + m.alnum(28), "'"),
    _kind("Google access token", "a.js", "x = '", lambda m: "ya29." + m.alnum(120), "'"),
    _kind("npm token", "a.js", "x = '", lambda m: "npm_" + m.alnum(36), "'"),
    _kind("PyPI token", "a.py", 'x = "', lambda m: "pypi-AgEIcHlwaS5vcmc" + m.alnum(80), '"'),
    _kind("RubyGems key", "a.rb", "x = '", lambda m: "rubygems_" + m.hex(48), "'"),
    _kind("Docker Hub token", "a.sh", "x ", lambda m: "dckr_pat_" + m.alnum(27)),
    _kind("DigitalOcean token", "a.tf", 'x = "', lambda m: "dop_v1_" + m.hex(64), '"'),
    _kind("Linear key", "a.ts", "x('", lambda m: "lin_api_" + m.alnum(40), "')"),
    _kind("Notion token", "a.ts", "x('", lambda m: "ntn_" + m.digits(11) + m.alnum(35), "')"),
    _kind("Figma token", "a.ts", "x('", lambda m: f"figd_{m.alnum(40)}", "')"),
    _kind("Shopify token", "a.ts", "x('", lambda m: "shpat_" + m.hex(32), "')"),
    _kind("SendGrid key", "a.ts", "x('", lambda m: f"SG.{m.alnum(22)}.{m.alnum(43)}", "')"),
    _kind("Resend key", "a.ts", "x('", lambda m: f"re_{m.alnum(8)}_{m.alnum(24)}", "')"),
    _kind("Twilio key", "a.ts", "x('", lambda m: "SK" + m.hex(32), "')"),
    _kind("Supabase key", "a.ts", "x('", lambda m: "sb_secret_" + m.alnum(31), "')"),
    _kind("Vault token", "a.hcl", 'x = "', lambda m: "hvs." + m.alnum(95), '"'),
    _kind("Pulumi token", "a.ts", "x('", lambda m: "pul-" + m.hex(40), "')"),
    _kind("Tailscale key", "a.tf", 'x = "', lambda m: f"tskey-auth-{m.alnum(12)}-{m.alnum(32)}", '"'),
    _kind("Grafana token", "a.tf", 'x = "', lambda m: f"glsa_{m.alnum(32)}_{m.hex(8)}", '"'),
    _kind("Databricks token", "a.py", 'x = "', lambda m: "dapi" + m.hex(32), '"'),
    _kind("Atlassian token", "a.py", 'x = "', lambda m: "ATATT3xFfGF0" + m.alnum(180), '"'),
    _kind("PostHog key", "a.py", 'x = "', lambda m: "phx_" + m.alnum(43), '"'),
    _kind("New Relic key", "a.py", 'x = "', lambda m: "NRAK-" + m.up(27), '"'),
    _kind("Fly.io token", "a.sh", "x ", lambda m: "fo1_" + m.alnum(43)),
    _kind("1Password token", "a.sh", "x ", lambda m: "ops_eyJ" + m.alnum(250)),
    _kind("JWT", "a.py", 'x = "', lambda m: f"eyJhbGciOiJIUzI1NiJ9.eyJ{m.alnum(60)}.{m.alnum(43)}", '"'),
    _kind("Sentry DSN", "a.py", 'x("',
          lambda m: f"https://{m.hex(32)}@o{m.digits(6)}.ingest.sentry.io/{m.digits(7)}", '")'),
    # passwords without quotes
    _kind("YAML password", "config.yaml", "db:\n  password: ", Made.word),
    _kind("YAML nested secret", "values.yml", "  clientSecret: ", lambda m: m.alnum(24)),
    _kind("YAML list of variables", "compose.yaml", "      - POSTGRES_PASSWORD=", Made.word),
    _kind("shell variable", "run.sh", "export DB_PASSWORD=", Made.word),
    _kind("shell prefix variable", "run.sh", "PGPASSWORD=", Made.word, " psql -h db"),
    _kind("shell option", "run.sh", "tool --password ", Made.word, " --x"),
    _kind("mysql option", "run.sh", "mysql -u root -p", Made.word, " shop"),
    _kind("curl user", "run.sh", "curl -u admin:", Made.word, " https://example.org"),
    _kind("ini password", "app.ini", "[db]\nuser = me\npassword = ", Made.word),
    _kind("properties password", "application.properties", "spring.datasource.password=", Made.word),
    _kind("Dockerfile ENV", "Dockerfile", "ENV API_TOKEN ", lambda m: m.alnum(20)),
    _kind("Dockerfile ENV with =", "Dockerfile", "ENV DB_PASSWORD=", Made.word),
    _kind("Terraform password", "main.tf", '  master_password = "', Made.word, '"'),
    _kind("redis.conf", "redis.conf", "requirepass ", Made.word),
    _kind("unknown file type", "settings", "secret_key = ", lambda m: m.alnum(30)),
    _kind("Makefile", "Makefile", "DEPLOY_TOKEN := ", lambda m: m.alnum(20)),
    _kind("XML element", "settings.xml", "<server><password>", Made.word, "</password></server>"),
    _kind("XML attribute", "web.config", '<add key="SmtpPassword" value="', Made.word, '" />'),
    _kind("netrc words", "notes.txt", "machine example.org login me password ", Made.word),
    _kind("PowerShell", "run.ps1", '$Password = "', Made.word, '"'),
    _kind("systemd unit", "app.service", "Environment=API_SECRET=", lambda m: m.alnum(24)),
    # connection strings and headers
    _kind("PostgreSQL address", "a.py", 'x = "postgres://app:', Made.word, '@db.internal/shop"'),
    _kind("Redis address", "a.py", 'x = "redis://:', Made.word, '@cache:6379/0"'),
    _kind("MongoDB address", "a.js", "x('mongodb+srv://app:", Made.word, "@c0.example.net/shop')"),
    _kind("AMQP address", "a.yaml", "url: amqp://app:", Made.word, "@mq:5672/"),
    _kind("ADO connection string", "a.cs", 'x = "Server=db;User Id=sa;Password=', Made.word, ';Encrypt=True"'),
    _kind("Azure storage", "a.cs", 'x = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=',
          lambda m: m.b64(86) + "==", ';"'),
    _kind("JDBC address", "a.java", 'x = "jdbc:mysql://db/shop?user=me&password=', Made.word, '";'),
    _kind("Go data source name", "a.go", 'x := "app:', Made.word, '@tcp(db:3306)/shop"'),
    _kind("Azure SAS", "a.py", 'x = "https://a.blob.core.windows.net/c?sv=2022&sig=',
          lambda m: m.alnum(43) + "%3D", '"'),
    _kind("AWS signed address", "a.py", 'x = "https://b.s3.amazonaws.com/k?X-Amz-Signature=', lambda m: m.hex(64), '"'),
    _kind("bearer header", "a.py", 'h = {"Authorization": "Bearer ', lambda m: m.alnum(40), '"}'),
    _kind("basic header", "a.js", "h = { Authorization: 'Basic ", lambda m: m.b64(32), "' }"),
    _kind("API key header", "a.js", "h = { 'X-Api-Key': '", lambda m: m.alnum(32), "' }"),
    # keys
    _kind("PEM key", "a.py", 'k = """-----BEGIN RSA PRIVATE KEY-----\n',
          lambda m: m.lines(12), '\n-----END RSA PRIVATE KEY-----"""'),
    _kind("OpenSSH key", "a.txt", "-----BEGIN OPENSSH PRIVATE KEY-----\n",
          lambda m: m.lines(6, 70), "\n-----END OPENSSH PRIVATE KEY-----"),
    _kind("PuTTY key", "a.txt", "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n", lambda m: m.b64(48)),
    _kind("age key", "a.txt", "# created\n",
          lambda m: "AGE-SECRET-KEY-1" + m.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    _kind("WireGuard key", "net.conf", "[Interface]\nPrivateKey = ", lambda m: m.b64(42) + "E="),
    _kind("WireGuard preshared key", "net.nix", 'presharedKey = "', lambda m: m.b64(42) + "k=", '";'),
    _kind("JSON Web Key", "a.json", '{"kty": "OKP", "crv": "Ed25519", "d": "', lambda m: m.alnum(43), '"}'),
    _kind("Ethereum key", "a.ts", "const privateKey = '", lambda m: "0x" + m.hex(64), "'"),
    _kind("Nostr key", "a.ts", "x('", lambda m: "nsec1" + m.low(58), "')"),
    _kind("mnemonic", "a.ts", "const mnemonic = '", lambda m: " ".join(m.of(_LOWER, 5) for _ in range(12)), "'"),
    _kind("shadow hash", "a.txt", "root:", lambda m: f"$6${m.alnum(16)}${m.alnum(86)}", ":19000:0:99999:7:::"),
    _kind("bcrypt hash", "a.sql", "VALUES ('", lambda m: "$2b$12$" + m.alnum(53), "')"),
    _kind("Kubernetes secret", "s.yaml", "kind: Secret\ndata:\n  tls: ", lambda m: m.b64(40)),
    _kind("Docker auth", "a.json", '{"auths": {"r": {"auth": "', lambda m: m.b64(28), '"}}}'),
    _kind("npm registry login", "a.txt", "//r.example.org/:_authToken=", lambda m: m.alnum(36)),
    _kind("named hex key", "a.py", 'SECRET_KEY = "', lambda m: m.hex(50), '"'),
    _kind("Rails key", "a.rb", "secret_key_base: '", lambda m: m.hex(128), "'"),
    _kind("Laravel key", "a.txt", "APP_KEY=base64:", lambda m: m.b64(43) + "="),
    _kind("Java password", "A.java", 'String password = "', Made.word, '";'),
    _kind("TypeScript typed password", "a.ts", "const dbPassword: string = '", Made.word, "'"),
    _kind("Python argument", "a.py", 'connect(host="db", password="', Made.word, '")'),
    _kind("Python dict", "a.py", 'x["password"] = "', Made.word, '"'),
]  # fmt: skip
