using System.Net.Sockets;
using Rcmp.Hosts.Cli;

namespace Rcmp.Tests.Hosts;

public sealed class FailureTests
{
    public static TheoryData<Exception, int> Codes() => new()
    {
        { new PoolMismatchException("x"), 2 },
        { new PoolConfigurationException("x"), 2 },
        { new RegionOptionsException("x"), 2 },
        { new ArgumentException("x"), 2 },
        { new FileNotFoundException("x"), 2 },
        { new PageNotFoundException("x"), 2 },
        { new PoolNotConnectedException("x"), 3 },
        { new PageUnavailableException("x"), 3 },
        { new PoolOutcomeUnknownException("x"), 3 },
        { new SocketException((int)SocketError.ConnectionRefused), 3 },
        { new TimeoutException("x"), 3 },
        { new SocketException((int)SocketError.AddressAlreadyInUse), 4 },
        { new RegionBusyException("x"), 4 },
        { new RegionResourceException("x"), 4 },
        { new PoolExhaustedException("x"), 4 },
        { new OutOfMemoryException("x"), 4 },
        { new UnauthorizedAccessException("x"), 4 },
        { new RegionDamagedException("x"), 1 },
        { new InvalidOperationException("x"), 1 },
        { new AggregateException(new PoolNotConnectedException("x")), 3 },
    };

    [Theory]
    [MemberData(nameof(Codes))]
    public void EveryFailureHasItsExitCode(Exception failure, int exitCode) =>
        Assert.Equal(exitCode, Failures.Describe(failure, default).ExitCode);

    [Fact]
    public void AnInterruptedCommandSaysNothing()
    {
        var interrupted = new CancellationToken(true);

        Assert.Equal((ExitCodes.Interrupted, null), Failures.Describe(new OperationCanceledException(), interrupted));
    }

    [Fact]
    public void AMessageOfSeveralLinesBecomesOneWithoutTheParameterName()
    {
        var (_, line) = Failures.Describe(new ArgumentException("first\nsecond", "page"), default);

        Assert.Equal("first second", line);
    }
}
