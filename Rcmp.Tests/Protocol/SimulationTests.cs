using System.Diagnostics;
using Rcmp.Hosts.Simulation;
using Rcmp.Protocol;

namespace Rcmp.Tests.Protocol;

public class SimulationTests(ITestOutputHelper output)
{
    private const int SeedsMin = 200;
    private const int SeedsMax = 3000;
    private static readonly TimeSpan TimeMax = TimeSpan.FromSeconds(12);

    [Fact]
    public void NoSeedBreaksARule()
    {
        var watch = Stopwatch.StartNew();
        long commits = 0, increments = 0, done = 0;
        Parallel.For(1, SeedsMax + 1, new ParallelOptions { MaxDegreeOfParallelism = 2 }, (seed, loop) =>
        {
            if (Interlocked.Read(ref done) >= SeedsMin && watch.Elapsed > TimeMax)
            {
                loop.Stop();
                return;
            }

            var world = new SimWorld(new SimOptions((ulong)seed, Steps: 700));
            world.Run();
            Interlocked.Add(ref commits, world.Moves);
            Interlocked.Add(ref increments, world.Increments);
            Interlocked.Increment(ref done);
        });
        output.WriteLine($"{done} seeds, {commits} commits, {increments} increments");
        Assert.True(commits > done, "pages move");
        Assert.True(increments > 20 * done, "clients get through");
    }

    // The rules whose absence a short search finds; the others of the list are second lines of defence, which RackCoreTests hold.
    [Theory]
    [InlineData(nameof(ProtocolMutation.SkipQuiesce), 1)]
    [InlineData(nameof(ProtocolMutation.SkipRevoke), 1)]
    [InlineData(nameof(ProtocolMutation.AcceptLowerTerm), 1)]
    [InlineData(nameof(ProtocolMutation.ReleaseBeforeCommit), 1)]
    [InlineData(nameof(ProtocolMutation.GrantWhileMoving), 1)]
    [InlineData(nameof(ProtocolMutation.IgnoreNumbers), 1)]
    [InlineData(nameof(ProtocolMutation.ForgetConnections), 1)]
    [InlineData(nameof(ProtocolMutation.AcceptAnyAcknowledgement), 1)]
    [InlineData(nameof(ProtocolMutation.DropWhilePulling), 1)]
    [InlineData(nameof(ProtocolMutation.UnknownIsAbsent), 1)]
    public void TheSimulationNoticesARuleThatIsLeftOut(string rule, int firstSeed)
    {
        var mutation = Enum.Parse<ProtocolMutation>(rule);
        for (var seed = firstSeed; seed < firstSeed + 400; seed++)
        {
            try
            {
                new SimWorld(new SimOptions((ulong)seed, Mutation: mutation)).Run();
            }
            catch (SimViolation found)
            {
                output.WriteLine($"{rule}: {found.Message}");
                return;
            }
        }

        Assert.Fail($"400 seeds without {rule}, and nothing was noticed.");
    }
}
