using System.Collections;
using Rcmp.Cluster.Configuration;

namespace Rcmp.Tests.Cluster;

public sealed class ConfigurationTests
{
    private const string Rack =
        """
        rcmp {
          pool.id = "6f1b0a52-3c0e-4d53-9d53-2a6c8f0d7e11"
          seed-nodes = ["127.0.0.1:4100"]
          node.port = 4200
          region { path = /dev/shm/x, size = 64MiB }
          client.rack = "127.0.0.1:4200"
        }
        """;

    private static LoadedConfig Parse(string text, IDictionary? environment = null) => ConfigLoader.Parse(text, "test.conf", NodeRole.Rack, environment);

    private static string FailureOf(string addition) =>
        Assert.Throws<PoolConfigurationException>(() => RackNodeOptions.Read(Parse(Rack + "\n" + addition))).Message;

    [Fact]
    public void EveryKeyOfTheReferenceIsReadAndEveryKeyReadIsInTheReference()
    {
        var loaded = Parse(Rack.Replace("4200\n", "4100\n"));
        var reader = loaded.Reader();
        MasterNodeOptions.Read(loaded, reader);
        RackNodeOptions.Read(loaded, reader);
        RcmpClientOptions.Read(loaded, reader);
        Assert.Equal(ConfigLoader.KnownKeys.Order(), reader.KeysRead.Order());
    }

    [Fact]
    public void TheDefaultsOfTheReferenceAreThoseOfTheCode()
    {
        var fromFile = RcmpClientOptions.Read(Parse("rcmp.client.rack = \"127.0.0.1:4200\""));
        Assert.Equal(new RcmpClientOptions { Rack = "127.0.0.1:4200" }, fromFile);
        var host = RackNodeOptions.Read(Parse(Rack)).ToHost(Guid.NewGuid());
        Assert.Equal(new Rcmp.Protocol.RackCoreOptions { Settings = host.Core.Settings, RegionId = host.Core.RegionId }, host.Core);
        var directory = RackNodeOptions.Read(Parse(Rack)).Node.ToDirectory();
        Assert.Equal(new Rcmp.Protocol.DirectoryOptions { Geometry = directory.Geometry }, directory);
    }

    [Theory]
    [InlineData("rcmp.swap.polcy = adaptive", "rcmp.swap.policy")]
    [InlineData("rcmp.heat.halflife = 1s", "rcmp.heat.half-life")]
    [InlineData("rcmp { node { prot = 1 } }", "rcmp.node.port")]
    [InlineData("rcmp.fabric.adress = \"tcp://a:1\"", "rcmp.fabric.address")]
    [InlineData("rcpm.node.port = 1", "rcmp")]
    [InlineData("rcmp.seednodes = []", "rcmp.seed-nodes")]
    public void AnUnknownKeyIsAnErrorThatNamesTheNearest(string text, string suggestion)
    {
        var message = Assert.Throws<PoolConfigurationException>(() => Parse("# first\n" + text)).Message;
        Assert.Contains($"did you mean {suggestion}?", message);
        Assert.Contains("test.conf, line 2", message);
    }

    [Theory]
    [InlineData("rcmp.directory.shards = 0", "rcmp.directory.shards = 0", "from 1 to 1024")]
    [InlineData("rcmp.directory.shards = many", "many", "a whole number")]
    [InlineData("rcmp.pool.page-size = 5000", "5000", "a power of two from 4KiB to 2MiB")]
    [InlineData("rcmp.pool.page-size = 4MiB", "4MiB", "a size from 4KiB to 2MiB")]
    [InlineData("rcmp.heat.half-life = 5", "5", "with a unit")]
    [InlineData("rcmp.swap.policy = adaptve", "adaptve", "did you mean adaptive?")]
    [InlineData("rcmp.pool.id = abc", "abc", "a UUID")]
    [InlineData("rcmp.pool.id = \"\"", "rcmp.pool.id must be set", "uuidgen")]
    [InlineData("rcmp.region.path = \"\"", "rcmp.region.path must be set", "/dev/shm")]
    [InlineData("rcmp.region.size = 1MiB", "1MiB", "8MiB")]
    [InlineData("rcmp.region.huge-pages = maybe", "maybe", "on or off")]
    [InlineData("rcmp.fabric.address = tcp://127.0.0.1:0", "//", "in quotes")]
    [InlineData("rcmp.seed-nodes = [\"127.0.0.1\"]", "127.0.0.1", "host:port")]
    [InlineData("rcmp.node.port = 70000", "70000", "65535")]
    [InlineData("rcmp.node.port = { a = 1 }", "unknown key rcmp.node.port.a", "")]
    public void AWrongValueIsOneLineWithKeyValueAndWhatIsAllowed(string addition, string value, string allowed)
    {
        var message = FailureOf(addition);
        Assert.Contains(value, message);
        Assert.Contains(allowed, message);
        Assert.StartsWith("test.conf, line ", message);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("rcmp {\n  node { port = 1\n", "line 2", "'{' is not closed")]
    [InlineData("rcmp { node.port = 1 }\n}", "line 2", "'}' closes nothing")]
    [InlineData("rcmp.seed-nodes = [\"a\"}", "line 1", "where the '['")]
    [InlineData("\nrcmp.region.path = \"abc\n", "line 2", "a string is not closed")]
    [InlineData("rcmp { a = 1, , b = 2 }", "line 1", "not HOCON")]
    [InlineData("rcmp.node.port = ${?PORT}", "line 1", "RCMP_NODE_PORT")]
    public void MalformedHoconIsNamedWithItsLine(string text, string line, string error)
    {
        var message = Assert.Throws<PoolConfigurationException>(() => Parse(text)).Message;
        Assert.Contains(line, message);
        Assert.Contains(error, message);
    }

    [Fact]
    public void AMissingFileIsNamed()
    {
        var message = Assert.Throws<PoolConfigurationException>(() => ConfigLoader.Load("/nowhere/rack.conf", NodeRole.Rack)).Message;
        Assert.Contains("/nowhere/rack.conf", message);
    }

    [Fact]
    public void TheEnvironmentOverridesTheFile()
    {
        var environment = new Hashtable { ["RCMP_NODE_PORT"] = "4301", ["RCMP_SEED_NODES"] = "10.0.0.1:4100, 10.0.0.2:4100", ["RCMP_REGION_PATH"] = "/dev/shm/other" };
        var options = RackNodeOptions.Read(Parse(Rack, environment));
        Assert.Equal(4301, options.Node.Address.Port);
        Assert.Equal("/dev/shm/other", options.Region.Path);
        Assert.Equal(["10.0.0.1:4100", "10.0.0.2:4100"], options.Node.SeedNodes.Select(s => s.ToString()));
    }

    [Theory]
    [InlineData("master.conf")]
    [InlineData("rack.conf")]
    [InlineData("client.conf")]
    public void TheSamplesLoad(string name)
    {
        var path = Path.Combine(Repository.SourceTree.Root, "hocon", name);
        switch (name)
        {
            case "master.conf": MasterNodeOptions.Load(path); break;
            case "rack.conf": RackNodeOptions.Load(path); break;
            default: RcmpClientOptions.Load(path).Validate(); break;
        }
    }

    [Fact]
    public void AMasterMustBeAmongTheSeedNodes()
    {
        var loaded = ConfigLoader.Parse(Rack, "test.conf", NodeRole.Master);
        Assert.Contains("127.0.0.1:4200", Assert.Throws<PoolConfigurationException>(() => MasterNodeOptions.Read(loaded)).Message);
    }

    [Theory]
    [InlineData("4KiB", 4096)]
    [InlineData("1.5GiB", 1610612736)]
    [InlineData("77", 77)]
    [InlineData(" 2 MiB ", 2097152)]
    public void SizesAreRead(string text, long bytes)
    {
        Assert.True(Quantity.TryParseSize(text, out var size));
        Assert.Equal(bytes, size);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("9999999999TiB")]
    [InlineData("4 KiBs")]
    [InlineData("")]
    public void WrongSizesAreNot(string text) => Assert.False(Quantity.TryParseSize(text, out _));

    [Theory]
    [InlineData("50us", 0.05)]
    [InlineData("200ms", 200)]
    [InlineData("1.5s", 1500)]
    [InlineData("2m", 120000)]
    [InlineData("0", 0)]
    public void DurationsAreRead(string text, double milliseconds)
    {
        Assert.True(Quantity.TryParseDuration(text, out var duration));
        Assert.Equal(milliseconds, duration.TotalMilliseconds);
    }

    [Fact]
    public void OptionsInCodeAreValidatedAsTheFileIs()
    {
        Assert.Contains("Rack", Assert.Throws<PoolConfigurationException>(() => new RcmpClientOptions().Validate()).Message);
        Assert.Contains("Threads = 0", Assert.Throws<PoolConfigurationException>(() => new RcmpClientOptions { Rack = "a:1", Threads = 0 }.Validate()).Message);
    }
}
