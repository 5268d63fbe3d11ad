using Akka.Actor;
using Akka.Hosting.Logging;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Rcmp.Cluster.Transport;

/// <summary>What the transport says of connections that it closes. Each kind once in <see cref="Pause"/>, with the number of those that were left out: whoever makes it
/// close connections could fill a disk otherwise.</summary>
/// <remarks>Not by way of Akka's log, of which only errors are let through.</remarks>
internal sealed partial class TransportLog(ILogger log)
{
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly Pace _full = new();
    private readonly Pace _silent = new();
    private readonly Pace _wrong = new();

    public static TransportLog Of(ActorSystem system) => new(
        system.Settings.Setup.Get<LoggerFactorySetup>() is { HasValue: true } setup ? setup.Value.LoggerFactory.CreateLogger("Rcmp.Transport") : NullLogger.Instance);

    public void Full(string remote, int max)
    {
        if (_full.IsDue(out var more)) Full(log, remote, max, more);
    }

    public void Silent(string remote, int max)
    {
        if (_silent.IsDue(out var more)) Silent(log, remote, max, more);
    }

    public void Wrong(string remote, string what)
    {
        if (_wrong.IsDue(out var more)) Wrong(log, remote, what, more);
    }

    [LoggerMessage(2015, LogLevel.Warning, "A connection from {Remote} is closed: there are {Max} others already (rcmp.node.max-connections). So were {More} since the last such line.")]
    private static partial void Full(ILogger log, string remote, int max, int more);

    [LoggerMessage(2016, LogLevel.Warning, "A connection from {Remote} is closed: nothing has been heard from it yet, nor from {Max} newer ones (rcmp.node.max-connections is for those that were). So were {More} since the last such line.")]
    private static partial void Silent(ILogger log, string remote, int max, int more);

    [LoggerMessage(2017, LogLevel.Warning, "The connection with {Remote} is closed: it announces {What}. So were {More} since the last such line.")]
    private static partial void Wrong(ILogger log, string remote, string what, int more);

    private sealed class Pace
    {
        private readonly Lock _lock = new();
        private long _due = long.MinValue;
        private int _more;

        public bool IsDue(out int more)
        {
            lock (_lock)
            {
                more = _more;
                var now = Environment.TickCount64;
                if (now < _due)
                {
                    _more++;
                    return false;
                }

                (_due, _more) = (now + (long)Pause.TotalMilliseconds, 0);
                return true;
            }
        }
    }
}
