using System.Text;
using Rcmp.Cluster.Configuration;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;
using Rcmp.Hosts.Shell;

namespace Rcmp.Tests.Hosts;

/// <summary>Lines, values and files that nobody means to write: one line says what is wrong, and nothing else happens.</summary>
public sealed class HostileTextTests
{
    private const int Seed = 20261123;

    private static readonly string[] Pieces =
    [
        "{", "}", "[", "]", "\"", "\"\"\"", "=", ":", "+=", ",", "#", "//", "\n", "\\", "\\u", "$", "${", "${?", "${rcmp}", "${rcmp.node.port}", "include", "include \"x\"", "\0", "\uFEFF", "\uD800",
        "é", "☃", "null", "true", "-1", "1e400", "0x10", "99999999999999999999", "4KiB", "1s", " ", "\t", "rcmp", "akka", "rcmp.rcmp", ".", "..", "a.b.c", "rcmp { node { port = 1 } }", "\r\n",
    ];

    [Theory]
    [InlineData("master.conf")]
    [InlineData("rack.conf")]
    [InlineData("client.conf")]
    [InlineData("reference.conf")]
    public void AMutatedConfigurationIsReadOrRefusedInOneLine(string name)
    {
        var original = File.ReadAllText(Path.Combine(Repository.SourceTree.Root, "hocon", name));
        var random = new Random(Seed);
        var refused = 0;
        Bounded.Run(name, () =>
        {
            for (var round = 0; round < 300; round++)
            {
                var text = Mutate(original, random);
                foreach (var role in Enum.GetValues<NodeRole>())
                {
                    if (RefusalOf(text, role, $"{name}, round {round}") is null) continue;
                    refused++;
                }
            }
        });
        Assert.True(refused > 200, $"only {refused} of 900 were refused: the mutations are too tame");
    }

    [Fact]
    public void AValueThatNoKeyMayHaveIsRefusedWithTheKeysName()
    {
        const string good = "rcmp { pool.id = \"6f1b0a52-3c0e-4d53-9d53-2a6c8f0d7e11\", seed-nodes = [\"127.0.0.1:4100\"], node.port = 4100, region.path = /dev/shm/x, client.rack = \"127.0.0.1:4200\" }\n";
        string[] wrong = ["[1, 2]", "\"\\u0000\"", "{}", "[[]]", "\"" + new string('9', 400) + "\"", "\"\\n\"", "-5", "\"//\""];
        foreach (var key in ConfigLoader.KnownKeys)
        {
            foreach (var value in wrong)
            {
                foreach (var role in Enum.GetValues<NodeRole>())
                {
                    if (RefusalOf($"{good}{key} = {value}\n", role, $"{key} = {value}") is { } message) Assert.Contains(key, message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Theory]
    [InlineData("rcmp.node.host = ${rcmp.node.host}")]
    [InlineData("rcmp.node.host = ${rcmp.log.file}\nrcmp.log.file = ${rcmp.node.host}")]
    [InlineData("rcmp = ${rcmp}")]
    [InlineData("a = ${b}\nb = ${a}\nrcmp.node.host = ${a}")]
    [InlineData("include \"other.conf\"")]
    [InlineData("include \"/dev/zero\"")]
    [InlineData("rcmp.node.port")]
    [InlineData("rcmp.node.port =")]
    [InlineData("= 5")]
    public void WhatAParserMayLoopOnIsRefused(string text) => Assert.NotNull(RefusalOf(text, NodeRole.Rack, text));

    [Theory]
    [InlineData("{")]
    [InlineData("[")]
    [InlineData("a {")]
    [InlineData("a = [")]
    [InlineData("a.")]
    public void NestingWithoutEndIsRefused(string piece)
    {
        foreach (var depth in (int[])[100, 5000, 200_000])
        {
            var closed = string.Concat(Enumerable.Repeat(piece, depth)) + string.Concat(Enumerable.Repeat(piece.EndsWith('[') ? "]" : "}", depth));
            Assert.NotNull(RefusalOf("rcmp.node.host = x\n" + string.Concat(Enumerable.Repeat(piece, depth)), NodeRole.Rack, $"{depth} of {piece}"));
            if (piece != "a.") Assert.NotNull(RefusalOf(closed, NodeRole.Rack, $"{depth} of {piece}, closed"));
        }
    }

    [Fact]
    public async Task ARandomLineOfTheShellPrintsOneLine()
    {
        await using var pool = await RcmpPool.StartEmbeddedAsync(new EmbeddedPoolOptions { RegionSize = 16 << 20, Timeout = TimeSpan.FromMilliseconds(200) });
        var shell = new PoolShell(pool, new CommandIo(TextReader.Null, TextWriter.Null, TextWriter.Null, false, false), () => "none");
        var real = (await shell.ExecuteAsync("alloc 4", CancellationToken.None))!.Split(' ')[0];
        var random = new Random(Seed);
        string[] words =
        [
            "alloc", "a", "free", "f", "read", "write", "r", "w", "xchg", "cas", "faa", "pin", "locate", "stats", real, real, real, "0", "1", "8", "-1", "0x", "0xg", "0x10", "0xffffffffffffffff",
            "18446744073709551616", "9223372036854775807", "00ff", "0f0", "zz", "NaN", "1e9", "１２", "٣", "\0", "\e[31m", "\uD800", "%s%n", "../..", "'; drop", new('a', 5000), "a,b", "--help", "+5", "0x0007000000001001",
        ];
        var errors = 0;
        for (var round = 0; round < 3000; round++)
        {
            var line = random.Next(5) == 0
                ? new string([.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => (char)random.Next(random.Next(2) == 0 ? 128 : 0xFFFF))]).Replace('\n', ' ')
                : string.Join(' ', Enumerable.Range(0, random.Next(1, 5)).Select(_ => words[random.Next(words.Length)]));
            if (line.TrimStart().StartsWith("help", StringComparison.Ordinal) || line.TrimStart().StartsWith('?')) continue;
            var shown = await shell.ExecuteAsync(line, CancellationToken.None);
            Assert.DoesNotContain("   at ", shown ?? "", StringComparison.Ordinal);
            Assert.DoesNotContain('\n', shown ?? "");
            if (shown?.StartsWith("error: ", StringComparison.Ordinal) == true) errors++;
        }

        Assert.InRange(errors, 1500, 2990);
        Assert.StartsWith("0x", await shell.ExecuteAsync("alloc 1", CancellationToken.None));
    }

    [Theory]
    [InlineData("region create /nowhere/at/all --size")]
    [InlineData("region create /nowhere/at/all --size 16MiB --page-size")]
    [InlineData("region create /nowhere/at/all --size 16MiB --pool")]
    [InlineData("region create /nowhere/at/all --size 16MiB --numa-node")]
    [InlineData("region check")]
    [InlineData("region inspect")]
    [InlineData("config check")]
    [InlineData("config check /nowhere/x.conf --role")]
    [InlineData("locate --dir /nowhere/cluster")]
    [InlineData("shell --dir /nowhere/cluster --rack")]
    [InlineData("rack drain --dir /nowhere/cluster")]
    [InlineData("rack forget 1 --dir /nowhere/cluster --timeout")]
    [InlineData("bench rw --config /nowhere/x.conf --payload")]
    [InlineData("bench rw --config /nowhere/x.conf --theta")]
    [InlineData("bench rw --config /nowhere/x.conf --duration")]
    [InlineData("status --dir")]
    [InlineData("rack --config")]
    public async Task ARandomValueOnTheCommandLineIsOneErrorAndAnExitCode(string command)
    {
        var random = new Random(Seed);
        string[] values =
        [
            "", " ", "-", "--", "-1", "+1", "0", "0x10", "1e3", "NaN", "∞", "１２", "1,5", "1_0", "99999999999999999999", "4kib", "KiB", "1.5.5MiB", "-3s", "ms", "\n", "a\nb", "\0", "\uD800", "@", "@/etc/hostname",
            "/dev/null", "/", ".", "/proc/self/mem", "--size", "=", new('x', 5000), .. Enumerable.Range(0, 10).Select(_ => new string([.. Enumerable.Range(0, 8).Select(_ => (char)random.Next(1, 0x3000))])),
        ];
        foreach (var value in values)
        {
            var result = await CommandRunner.RunAsync([.. command.Split(' '), value]);
            Assert.True(result.ExitCode is 1 or 2 or 3 or 4, $"'{value}': exit code {result.ExitCode}: {result.Out}");
            Assert.StartsWith("error: ", result.Error);
            Assert.Equal(1, result.Error.Count(letter => letter == '\n'));
            Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists("/nowhere"));
    }

    [Fact]
    public void ADamagedManifestIsRefusedInOneLine()
    {
        var directory = Directory.CreateTempSubdirectory("rcmp-test-").FullName;
        try
        {
            new ClusterManifest(Guid.NewGuid(), 4096, 32 << 20, false, [new("master0", "master", "127.0.0.1:1", null), new("rack0", "rack", "127.0.0.1:2", "/dev/shm/x")]).Write(directory);
            var path = Path.Combine(directory, ClusterManifest.FileName);
            var original = File.ReadAllText(path);
            Assert.NotNull(ClusterManifest.Read(directory));
            var random = new Random(Seed);
            string[] fixedOnes =
            [
                "", "{}", "[]", "null", "5", "{\"nodes\":null}", original.Replace("\"master0\"", "null"), original.Replace("\"rack\"", "\"king\""), original.Replace("\"/dev/shm/x\"", "null"),
                original.Replace("rack0", "../../rack0"), original.Replace("127.0.0.1:2", "nowhere"), original.Replace("4096", "-1"), new string('[', 100_000),
            ];
            foreach (var text in fixedOnes.Concat(Enumerable.Range(0, 600).Select(_ => Mutate(original, random))))
            {
                File.WriteAllBytes(path, Encoding.UTF8.GetBytes(text));
                try
                {
                    if (ClusterManifest.Read(directory) is not { } manifest) continue;
                    Assert.All(manifest.Nodes, node => Assert.True(node is { Name: not null, Address: not null, Role: "master" or "rack" } && (node.Role == "master" || node.RegionPath is not null)));
                }
                catch (CommandException refusal)
                {
                    Assert.Equal(ExitCodes.Usage, refusal.ExitCode);
                    Assert.DoesNotContain('\n', refusal.Message);
                }
            }
        }
        finally
        {
            Directory.Delete(directory, true);
        }
    }

    private static string? RefusalOf(string text, NodeRole role, string what)
    {
        try
        {
            var loaded = ConfigLoader.Parse(text, "test.conf", role);
            switch (role)
            {
                case NodeRole.Master:
                    MasterNodeOptions.Read(loaded);
                    break;
                case NodeRole.Rack:
                    RackNodeOptions.Read(loaded);
                    break;
                default:
                    RcmpClientOptions.Read(loaded).Validate();
                    break;
            }

            return null;
        }
        catch (PoolConfigurationException refusal)
        {
            Assert.Equal(ExitCodes.Usage, Failures.ExitCodeOf(refusal));
            Assert.False(refusal.Message.AsSpan().ContainsAny('\n', '\r'), $"{what}: {refusal.Message}");
            return refusal.Message;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{what}: {e.GetType().Name}: {e.Message}\n{text}", e);
        }
    }

    private static string Mutate(string text, Random random)
    {
        for (var changes = random.Next(1, 5); changes > 0; changes--)
        {
            var at = random.Next(text.Length + 1);
            var length = Math.Min(text.Length - at, random.Next(1, 30));
            text = random.Next(6) switch
            {
                0 => text.Remove(at, length),
                1 => text[..at],
                2 => text.Insert(at, text.Substring(at, length)),
                3 when at < text.Length => text.Remove(at, 1).Insert(at, ((char)(text[at] ^ (1 << random.Next(7)))).ToString()),
                _ => text.Insert(at, Pieces[random.Next(Pieces.Length)]),
            };
        }

        return text;
    }
}
