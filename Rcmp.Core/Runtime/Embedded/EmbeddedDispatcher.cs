using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Rcmp.Runtime.Embedded;

/// <summary>The embedded pool's network: one thread that carries every message, in the order in which it was sent.</summary>
internal sealed class EmbeddedDispatcher : IDisposable
{
    private readonly BlockingCollection<Action> _queue = [];
    private readonly Thread _thread;
    private readonly ILogger _log;
    private readonly Action _tick;

    /// <summary><paramref name="tick"/> is called between messages, at least every ten milliseconds.</summary>
    public EmbeddedDispatcher(ILogger log, Action tick)
    {
        _log = log;
        _tick = tick;
        _thread = new Thread(Run) { IsBackground = true, Name = "rcmp-embedded" };
    }

    public void Start() => _thread.Start();

    public void Post(Action work)
    {
        try
        {
            _queue.Add(work);
        }
        catch (InvalidOperationException)
        {
            // The pool is being disposed: what is sent now reaches nobody, as on a network.
        }
    }

    public void Dispose()
    {
        _queue.CompleteAdding();
        if (_thread.IsAlive && Thread.CurrentThread != _thread) _thread.Join();
    }

    private void Run()
    {
        while (!_queue.IsCompleted)
        {
            try
            {
                if (_queue.TryTake(out var work, 10)) work();
                _tick();
            }
            catch (Exception e)
            {
                // A bug in one handler must not end the thread on which every waiting client depends; it is loud in the log.
                EmbeddedLog.HandlerFailed(_log, e);
            }
        }
    }
}

internal static partial class EmbeddedLog
{
    [LoggerMessage(1100, LogLevel.Error, "The embedded pool failed to handle a message.")]
    public static partial void HandlerFailed(ILogger log, Exception exception);

    [LoggerMessage(1101, LogLevel.Critical, "An invariant of the embedded pool is broken: {Message}")]
    public static partial void Fatal(ILogger log, string message);
}
