using Rcmp.Hosts.Demo;

namespace Rcmp.Tests.Hosts;

public sealed class DemoSummaryTests
{
    [Theory]
    [InlineData("/dev/shm/rcmp-1a2b3c4d-rack0", "Here /dev/shm stood in for CXL memory")]
    [InlineData("/tmp/rcmp-demo-7/rack0.region", "Here files in /tmp stood in for CXL memory")]
    public void TheSummarySaysWhereTheRegionsWere(string region, string line)
    {
        using var text = new StringWriter();
        var result = new DemoResult
        {
            Ok = true, Racks = 2, Files = 1, BytesVerified = 1, RackHits = 1, DirectIo = 1, Swaps = 1, RackHitP50Ns = 1, DirectIoP50Ns = 1, ElapsedSeconds = 1,
        };
        DemoSummary.Tell(new PlainDemoView(text), result, [], [], region);
        Assert.Contains(line, text.ToString(), StringComparison.Ordinal);
    }
}
