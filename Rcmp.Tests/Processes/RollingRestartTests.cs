using Rcmp.Hosts.Chaos;

namespace Rcmp.Tests.Processes;

/// <summary>Every process is ended in order and started again, one after the other, while clients write, read and add.</summary>
[Collection(ProcessCollection.Name)]
[Trait("Tier", "long")]
public sealed class RollingRestartTests
{
    /// <summary>Anything but a transient error and an unknown outcome ends a client of the run, which is a finding; so is a process that does not end by SIGTERM.</summary>
    [Fact]
    public async Task ARollingRestartUnderLoadLosesNothingAndFailsNoOperationForGood()
    {
        var options = new ChaosOptions { RollingRestarts = 1, Seed = 5 };
        var (result, _) = await new ChaosRun(options, line => TestContext.Current.TestOutputHelper?.WriteLine(line)).RunAsync(TestContext.Current.CancellationToken);
        Assert.True(result.Ok, string.Join('\n', [$"{result.Lost} lost", .. result.Findings]));
        Assert.Equal((options.Masters, options.Racks, options.Clients), (result.Restarts["master"].Count, result.Restarts["rack"].Count, result.Restarts["client"].Count));
        Assert.True(result.AcknowledgedWrites > 1000, $"only {result.AcknowledgedWrites} writes were acknowledged");
        Assert.True(result.HistoryOperations > 1000, $"only {result.HistoryOperations} operations are in histories");
    }
}
